// Processes of a cluster whose store is made up and whose transfers move no bytes, and what they report of themselves.
import fs from 'node:fs';
import path from 'node:path';

/** Bytes of a process's JavaScript heap that are in use, from its file of `stats-file.mjs`. */
export function heapOf(directory, pid) {
  try {
    return JSON.parse(fs.readFileSync(path.join(directory, `${pid}.json`), 'utf8')).heapUsed;
  } catch {
    return 0;
  }
}

/**
 * A directory that `startCluster` takes for a project: its scripts are these instead of the bundles.
 * @param scripts paths, by the names of bundles
 */
export function projectOf(directory, scripts) {
  fs.mkdirSync(path.join(directory, 'dist/bin'), { recursive: true });
  fs.writeFileSync(path.join(directory, 'package.json'), '{"type":"module"}');
  for (const [name, script] of Object.entries(scripts)) {
    fs.writeFileSync(path.join(directory, 'dist/bin', `${name}.js`), `await import(${JSON.stringify(script)});\n`);
  }
  return directory;
}

export const supportScript = (name) => path.join(import.meta.dirname, name);
export const simulation = (name) => path.resolve(import.meta.dirname, '../../cluster/support/simulation', name);
