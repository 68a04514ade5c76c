import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { endChild, exitOnSignals, exitSaying, EXIT_REFUSED } from './index.js';

describe('endChild', () => {
  const start = async (atSigterm: string) => {
    const script = `process.on('SIGTERM', () => ${atSigterm}); console.log('up'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    return { child, exited };
  };

  it('lets a process end by itself', async () => {
    const { child, exited } = await start('process.exit(3)');
    await expect(endChild(child, exited, 60_000)).resolves.toBe(false);
    expect(child.exitCode).toBe(3);
  });

  it('kills a process that does not end', async () => {
    const { child, exited } = await start('0');
    await expect(endChild(child, exited, 20)).resolves.toBe(true);
    expect(child.signalCode).toBe('SIGKILL');
  });
});

describe('the end of this process', () => {
  const exits: unknown[] = [];
  const written: unknown[] = [];

  beforeEach(() => {
    exits.length = written.length = 0;
    // With real timers, the limit of one test would end the process during the next ones.
    jest.useFakeTimers();
    jest.spyOn(process, 'exit').mockImplementation(((code: number) => void exits.push(code)) as never);
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(text) > 0);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
    for (const signal of ['SIGTERM', 'SIGINT']) process.removeAllListeners(signal);
  });

  it('has the exit code 0 after a stop in good order', async () => {
    exitOnSignals(() => Promise.resolve(), 60_000, fail);
    process.emit('SIGTERM');
    await Promise.resolve();
    expect(exits).toEqual([0]);
  });

  it('has the exit code 1 and a message when the stop fails', async () => {
    const failures: unknown[] = [];
    const error = new Error('no disk');
    exitOnSignals(
      () => Promise.reject(error),
      60_000,
      (failure) => failures.push(failure),
    );
    process.emit('SIGINT');
    await Promise.resolve();
    expect({ exits, failures }).toEqual({ exits: [1], failures: [error] });
  });

  it('also comes when the stop takes too long', () => {
    exitOnSignals(() => new Promise(() => undefined), 1_000, fail);
    process.emit('SIGTERM');
    jest.advanceTimersByTime(999);
    expect(exits).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(exits).toEqual([0]);
  });

  it.each([
    [true, 'worker: no such port\n', EXIT_REFUSED],
    [false, expect.stringMatching(/^worker: Error: no such port\n +at /), 1],
  ])('prints one sentence when an operator must act (%s), else the whole error', (isExpected, text, code) => {
    exitSaying('worker', new Error('no such port'), isExpected);
    expect({ written, exits }).toEqual({ written: [text], exits: [code] });
  });
});

function fail(): never {
  throw new Error('the stop was in good order');
}
