// What benchmarks read of processes.
import fs from 'node:fs';
import path from 'node:path';

const ticksPerSecond = 100;
const pageBytes = 4096;

/** CPU seconds of a process, of all its threads. */
export function cpuOf(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return 0;
  }
}

/** Resident memory in bytes. */
export function rssOf(pid) {
  try {
    return Number(fs.readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
  } catch {
    return 0;
  }
}

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
