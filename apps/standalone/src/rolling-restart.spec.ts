import { RollingRestart } from './rolling-restart.js';

describe('RollingRestart', () => {
  const end = new AbortController();
  let restarted: string[];
  let said: string[];
  let restarts: RollingRestart;
  /** Ends the wait for the process that is starting. */
  let ready: () => void;

  beforeEach(() => {
    restarted = [];
    said = [];
    ready = () => {};
    restarts = new RollingRestart({
      restart: (name) => Promise.resolve(void restarted.push(name)),
      untilReady: (_, signal) =>
        new Promise((resolve, reject) => {
          ready = resolve;
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        }),
      say: (line) => said.push(line),
      signal: end.signal,
      readyWithinMs: 100,
    });
  });
  afterAll(() => end.abort());

  const upTo = async (count: number) => {
    while (restarted.length < count) await new Promise(setImmediate);
    await new Promise(setImmediate);
  };

  it('restarts one after the other, each when the one before it is ready', async () => {
    restarts.request(['coordinator-1', 'coordinator-2']);
    await upTo(1);
    expect(restarted).toEqual(['coordinator-1']);
    ready();
    await upTo(2);
    ready();
    await new Promise(setImmediate);
    expect(said).toEqual([
      expect.stringMatching(/^coordinator-1 runs the new code/),
      expect.stringMatching(/^coordinator-2 runs the new code/),
    ]);
  });

  it('starts a process again whose code changes while it starts, and keeps the others running meanwhile', async () => {
    restarts.request(['coordinator-1', 'coordinator-2']);
    await upTo(1);
    restarts.request(['coordinator-1', 'coordinator-2']);
    await upTo(2);
    ready();
    await upTo(3);
    expect(restarted).toEqual(['coordinator-1', 'coordinator-1', 'coordinator-2']);
    ready();
  });

  it('leaves the others of a kind running when one does not start, until the next change', async () => {
    restarts.request(['coordinator-1', 'coordinator-2', 'worker-1']);
    await upTo(2);
    expect(restarted).toEqual(['coordinator-1', 'worker-1']);
    expect(said).toEqual([
      expect.stringMatching(/^coordinator-1 is not ready after .* coordinator-2 still run the old code\.$/),
    ]);
    ready();
    await new Promise(setImmediate);
    restarts.request(['coordinator-1', 'coordinator-2']);
    await upTo(3);
    ready();
    await upTo(4);
    expect(restarted.slice(2)).toEqual(['coordinator-1', 'coordinator-2']);
  });
});
