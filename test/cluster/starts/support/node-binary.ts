import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '#testing';

/**
 * A release of Node other than the one that runs the tests; fetched once. Undefined where it cannot be had, which is said
 * in one line.
 */
export function nodeBinary(major: number): string | undefined {
  const script = join(projectRoot(), 'scripts/node-binaries.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, String(major)], { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  process.stderr.write(`skipped: ${stderr.trim()}\n`);
  return undefined;
}
