// Commands that are timed, and the CPU seconds of processes with their children. CPU is read from /proc: it is undefined
// where there is none.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ticksPerSecond = 100;

/** Fields of /proc/PID/stat behind the command's name, which may hold spaces; `state` is the first. */
function statOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

const ticks = (fields, from, to) => fields.slice(from, to).reduce((sum, one) => sum + Number(one), 0) / ticksPerSecond;

/** CPU seconds of a process, of its children that have ended, and of those that run, with theirs. */
export function cpuOfTree(pid) {
  if (!fs.existsSync('/proc/self/stat')) return undefined;
  const children = new Map();
  for (const name of fs.readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? statOf(name)?.[1] : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), name]);
  }
  const sumOf = (id) => {
    const own = statOf(id);
    const below = (children.get(String(id)) ?? []).reduce((sum, child) => sum + sumOf(child), 0);
    return (own ? ticks(own, 11, 15) : 0) + below;
  };
  return sumOf(pid);
}

/** CPU seconds of all threads of one process since its start. */
export const cpuSecondsOf = (pid) => ticks(statOf(pid), 11, 13);

/** Bytes of memory of a process that are resident now. */
export function residentBytesOf(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** CPU seconds of the children of this process that have ended. */
function cpuOfEnded() {
  const own = statOf(process.pid);
  return own && ticks(own, 13, 15);
}

/**
 * Runs a command until it ends, with no other command of this process meanwhile.
 * @returns wall and CPU seconds
 * @throws when it does not exit with 0
 */
export function timed(command, args = [], { env = process.env, cwd } = {}) {
  const cpuBefore = cpuOfEnded();
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env, cwd });
    child.once('error', reject);
    child.once('exit', (code) => {
      const seconds = (performance.now() - started) / 1000;
      const cpu = cpuBefore === undefined ? undefined : cpuOfEnded() - cpuBefore;
      if (code === 0) resolve({ seconds, cpu });
      else reject(new Error(`${command} exited with ${code}`));
    });
  });
}

/** Whether a command can be started, with arguments that make it end at once. */
export const isInstalled = (command, args = ['--version']) => spawnSync(command, args).error === undefined;

/**
 * A process that prints a line when it is ready.
 * @returns the process and what the pattern matched
 */
export function startUntil(pattern, command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const ready = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code} before it was ready`)));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
      const found = pattern.exec(said);
      if (found) resolve(found);
    });
  });
  const stop = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  return ready.then((found) => ({ child, found, stop }));
}

/** Runs the body with a directory of its own, which is removed afterwards. */
export async function withDirectory(body) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
  try {
    return await body(directory);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
