import { once } from 'node:events';

/** Writes a line to standard output, at the pace of its reader. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

/** Writes a remark that is not part of the answer, to standard error. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
