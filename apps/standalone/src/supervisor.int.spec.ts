import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { until } from '#async';
import { isRunning, PidFiles } from '#process';
import { temporaryDirectory } from './spec-support/temporary-directory.js';
import { Supervisor } from './supervisor.js';

/** Reports over IPC that it runs, and ends on SIGTERM. */
const obedient = `
process.on('SIGTERM', () => process.exit(0));
process.send({ up: process.pid });
setInterval(() => {}, 1000);
`;
/** Reports that it runs, and ignores SIGTERM. */
const stubborn = obedient.replace('process.exit(0)', '0');

describe('Supervisor', () => {
  const directory = temporaryDirectory();
  const said: string[] = [];
  let supervisor: Supervisor;
  let pidFiles: PidFiles;

  beforeEach(() => {
    said.length = 0;
    pidFiles = new PidFiles(path.join(directory.path, 'run'));
    supervisor = new Supervisor({
      pidFiles,
      logsDir: directory.path,
      say: (line) => said.push(line),
      backoff: { baseMs: 1, maxMs: 4, healthyAfterMs: 60_000 },
      maxEarlyDeaths: 3,
    });
  });
  afterEach(() => supervisor.killAll());

  /** Starts a process and returns the pid after each start of it. */
  function start(name: string, source: string, mendable = false): { nextPid(): Promise<number> } {
    const script = directory.write(`${name}.mjs`, source);
    const pids: number[] = [];
    let seen = 0;
    supervisor.start({
      name,
      script,
      marker: directory.path,
      mendable,
      env: () => process.env,
      onMessage: (message) => pids.push((message as { up: number }).up),
    });
    return {
      nextPid: async () => {
        await until(() => pids.length > seen);
        return pids[seen++];
      },
    };
  }

  it('starts a killed process again, prints that, and records its pid', async () => {
    const worker = start('worker-1', obedient);
    const first = await worker.nextPid();
    process.kill(first, 'SIGKILL');
    const second = await worker.nextPid();
    expect(second).not.toBe(first);
    expect(said).toEqual([expect.stringMatching(/^worker-1 was ended by SIGKILL; starting it again in 1 ms/)]);
    const recorded = JSON.parse(fs.readFileSync(path.join(directory.path, 'run/worker-1.pid'), 'utf8')) as object;
    expect(recorded).toEqual({ pid: second, marker: directory.path });

    await supervisor.stop([{ names: ['worker-1'], deadlineMs: 5000 }]);
    expect(isRunning(second, directory.path)).toBe(false);
    expect(fs.readdirSync(path.join(directory.path, 'run'))).toEqual([]);
  });

  it('restarts a process on demand, without counting it as a death', async () => {
    const worker = start('worker-1', obedient);
    const first = await worker.nextPid();
    await supervisor.restart('worker-1', 5000);
    const second = await worker.nextPid();
    expect(second).not.toBe(first);
    expect(isRunning(first, directory.path)).toBe(false);
    await supervisor.restart('coordinator-1', 5000);
    expect(said).toEqual([]);
  });

  it('kills a process that ignores a restart, and starts it again', async () => {
    const worker = start('worker-1', stubborn);
    const first = await worker.nextPid();
    await supervisor.restart('worker-1', 50);
    expect(await worker.nextPid()).not.toBe(first);
  });

  it('after the cluster was ready, keeps a process that refuses to run until its code changes', async () => {
    supervisor.markReady();
    const worker = start('worker-1', `console.error('No.'); process.exit(78);`, true);
    await until(() => said.length === 2);
    expect(said[1]).toBe('worker-1 refuses to run: No. It is started again when its code has changed.');
    directory.write('worker-1.mjs', obedient);
    await supervisor.restart('worker-1', 5000);
    await worker.nextPid();
  });

  it('does not start a process again that refuses to run, and passes its error on', async () => {
    start('coordinator-1', `console.error('LARDER_PORT is "x": expected a port.'); process.exit(78);`);
    await expect(supervisor.givenUp).resolves.toBe(
      'coordinator-1 refuses to run: LARDER_PORT is "x": expected a port.',
    );
    expect(said).toEqual(['coordinator-1  LARDER_PORT is "x": expected a port.']);
  });

  it('gives up a process that dies again and again before the cluster was ready', async () => {
    start('worker-1', `console.error('out of luck'); process.exit(1);`);
    await expect(supervisor.givenUp).resolves.toMatch(/^worker-1 cannot be brought up \(out of luck\)/);
    expect(said.filter((line) => line.includes('starting it again'))).toHaveLength(2);
  });

  it('keeps restarting a process that dies again and again later', async () => {
    supervisor.markReady();
    const worker = start('worker-1', `process.send({ up: process.pid }, () => process.exit(1));`);
    for (let life = 0; life < 5; life++) await worker.nextPid();
    expect(said.length).toBeGreaterThanOrEqual(4);
  });

  it('stops stage after stage, and kills processes that do not stop', async () => {
    const order: string[] = [];
    const log = directory.write('order', '');
    const noting = (name: string) =>
      obedient.replace(
        'process.exit(0)',
        `{ fs.appendFileSync(${JSON.stringify(log)}, '${name} '); process.exit(0); }`,
      );
    const source = (name: string) => `import fs from 'node:fs';${noting(name)}`;
    const pids = [
      await start('worker-1', source('worker-1')).nextPid(),
      await start('worker-2', stubborn).nextPid(),
      await start('nats', source('nats')).nextPid(),
    ];
    await supervisor.stop([
      { names: ['worker-1', 'worker-2'], deadlineMs: 500 },
      { names: ['nats'], deadlineMs: 10_000 },
    ]);
    order.push(...fs.readFileSync(log, 'utf8').trim().split(' '));
    expect(order).toEqual(['worker-1', 'nats']);
    expect(pids.filter((pid) => isRunning(pid, directory.path))).toEqual([]);
    expect(said).toEqual([]);
  });

  it('at the next start, ends the processes that a killed supervisor left behind, and no others', async () => {
    const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', directory.path], { stdio: 'ignore' });
    const foreign = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await Promise.all([once(left, 'spawn'), once(foreign, 'spawn')]);
    try {
      pidFiles.record('nats-server', left.pid!, directory.path);
      pidFiles.record('worker-1', foreign.pid!, directory.path);
      const exited = once(left, 'exit');
      await expect(pidFiles.killLeftovers()).resolves.toEqual(['nats-server']);
      await exited;
      expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
    } finally {
      foreign.kill('SIGKILL');
      left.kill('SIGKILL');
    }
  });
});
