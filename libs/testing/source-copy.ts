import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './nats/index.js';

const linked = ['node_modules', '.cache'];
const leftOut = [...linked, '.git', '.larder', '.larder-cluster', 'coverage', 'dist', 'test'];

/**
 * Copies the project, without its tests, into `target`, for tests that edit or compile sources. Dependencies are
 * shared.
 * @param options `build`: also copy dist, as it is
 */
export function copySources(target: string, { build }: { build: boolean }): void {
  const root = projectRoot();
  mkdirSync(target, { recursive: true });
  const copied = readdirSync(root).filter((name) => !leftOut.includes(name));
  // The build tells by these times that dist has not changed since.
  for (const name of [...copied, ...(build ? ['dist'] : [])]) {
    cpSync(join(root, name), join(target, name), { recursive: true, preserveTimestamps: true });
  }
  for (const name of linked) {
    if (existsSync(join(root, name))) symlinkSync(join(root, name), join(target, name));
  }
}
