import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** One nats-server executable of this machine. */
export interface NatsServerBinary {
  /** Absolute path. */
  readonly binary: string;
  /** From `nats-server -v`, without the `v`: `2.10.27`. */
  readonly version: string;
}

/** Debian installs the server in /usr/sbin, which is often not on a user's PATH. */
const usualDirectories = ['/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/** Compares the leading `major.minor.patch` only. @returns below zero, zero or above zero, as for sort */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string) => version.split(/[.-]/, 3).map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The usable nats-server executables, in order of preference: `LARDER_NATS_SERVER_BIN`, then
 * `<projectRoot>/.cache/nats-server/<version>/nats-server` (newest first), then the PATH, then the usual directories.
 * A file that does not answer to `-v` like a nats-server is left out; each file is listed once.
 */
export async function findNatsServers(
  env: NodeJS.ProcessEnv = process.env,
  projectRoot: string = process.cwd(),
): Promise<NatsServerBinary[]> {
  return Promise.resolve(findNatsServersSync(env, projectRoot));
}

/** As `findNatsServers`, for code that cannot wait, such as the table of a `describe.each`. */
export function findNatsServersSync(
  env: NodeJS.ProcessEnv = process.env,
  projectRoot: string = process.cwd(),
): NatsServerBinary[] {
  const directories = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...usualDirectories];
  const newestFirst = (a: NatsServerBinary, b: NatsServerBinary) => compareVersions(b.version, a.version);
  const found = [
    ...identifyAll(env.LARDER_NATS_SERVER_BIN ? [env.LARDER_NATS_SERVER_BIN] : []),
    ...identifyAll(cachedBinaries(projectRoot)).sort(newestFirst),
    ...identifyAll(directories.map((directory) => join(directory, 'nats-server'))),
  ];
  const unique = new Map<string, NatsServerBinary>();
  for (const server of found) {
    const file = realpathSync(server.binary);
    if (!unique.has(file)) unique.set(file, server);
  }
  return [...unique.values()];
}

/** The version from `nats-server -v`, such as `2.10.27`; undefined if the file is no nats-server or cannot be run. */
export function natsServerVersion(binary: string): string | undefined {
  const { stdout, stderr } = spawnSync(binary, ['-v'], { timeout: 5_000, encoding: 'utf8' });
  return /nats-server: v?(\d+\.\d+\.\d+\S*)/.exec(`${stdout}${stderr}`)?.[1];
}

function cachedBinaries(projectRoot: string): string[] {
  const cache = resolve(projectRoot, '.cache', 'nats-server');
  return existsSync(cache) ? readdirSync(cache).map((version) => join(cache, version, 'nats-server')) : [];
}

function identifyAll(files: readonly string[]): NatsServerBinary[] {
  return files.flatMap((file) => {
    const binary = resolve(file);
    const version = existsSync(binary) ? natsServerVersion(binary) : undefined;
    return version === undefined ? [] : [{ binary, version }];
  });
}
