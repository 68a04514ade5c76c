import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { clusterKeys, projectRoot } from '#testing';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Default: the Node that runs the tests. */
  readonly node?: string;
  /** The user id to run as. It needs root. */
  readonly uid?: number;
  /** A command that replaces itself with the command that follows. */
  readonly wrapper?: readonly string[];
  /** The process is killed after this time. It should end by itself before. */
  readonly limitMs?: number;
}

export const testKeys = clusterKeys.LARDER_SECRET_KEYS;

/** Runs a script of the project to its end, with only the given settings. */
export function run(script: string, options: RunOptions = {}): Promise<Ended> {
  const { args = [], env = {}, cwd = projectRoot(), node = process.execPath, uid, limitMs = 30_000 } = options;
  const [command, ...rest] = [...(options.wrapper ?? []), node, join(projectRoot(), script), ...args];
  const child = spawn(command, rest, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output });
    });
  });
}

export const mains = {
  coordinator: 'dist/bin/coordinator.js',
  worker: 'dist/bin/worker.js',
  standalone: 'dist/bin/standalone.js',
  cli: 'dist/bin/larder.js',
} as const;
