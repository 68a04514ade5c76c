import { once } from 'node:events';

/** Writes a line to standard output, at the pace of whoever reads it. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

/** Something worth knowing that is not the answer. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
