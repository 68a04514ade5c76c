import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from '#testing';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningLarder {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts the built command line. It does not inherit the LARDER_ settings of this process. */
export function startLarder(args: readonly string[], env: Record<string, string> = {}): RunningLarder {
  const script = path.join(projectRoot(), 'dist/bin/larder.js');
  const child = spawn(process.execPath, [script, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: path.join(projectRoot(), 'test'),
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
  return { process: child, ended };
}

export function larder(args: readonly string[], env?: Record<string, string>): Promise<Ended> {
  return startLarder(args, env).ended;
}

/** @throws Error with its output unless the exit code is 0 */
export async function larderWell(args: readonly string[], env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await larder(args, env);
  if (code !== 0) throw new Error(`larder ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}
