import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory of Larder's package.json, wherever in dist the running code is. */
export function installationDirectory(from: string = import.meta.dirname): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('Larder runs outside of its installation: no package.json above its code');
  return installationDirectory(parent);
}

/** The version of Larder, such as `0.2.0`. */
export function larderVersion(): string {
  const file = join(installationDirectory(), 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
