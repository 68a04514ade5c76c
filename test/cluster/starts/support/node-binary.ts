import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '#testing';

/**
 * Another release of Node than the one that runs the tests. It is downloaded once. Undefined if it is not available; one
 * line on stderr then says so.
 */
export function nodeBinary(major: number): string | undefined {
  const script = join(projectRoot(), 'scripts/node-binaries.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, String(major)], { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  process.stderr.write(`skipped: ${stderr.trim()}\n`);
  return undefined;
}
