import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ManagedProcess } from './managed-process.js';

/** `host:port` of a worker's read path. */
export function readyAddress(process: ManagedProcess): string | undefined {
  return readyLine<{ address: string }>(process)?.address;
}

/** The JSON line that a process prints once it is ready. */
export function readyLine<Line>(process: ManagedProcess): Line | undefined {
  const line = /^\{.*"msg":"(?:worker|coordinator) ready".*\}$/m.exec(process.log())?.[0];
  return line === undefined ? undefined : (JSON.parse(line) as Line);
}

export function workerIdIn(cacheDir: string): string {
  const file = join(cacheDir, 'identity.json');
  if (!existsSync(file)) throw new Error(`${cacheDir} holds no identity yet`);
  return (JSON.parse(readFileSync(file, 'utf8')) as { workerId: string }).workerId;
}
