import { abortable, aborted, Bell, retryWhile, Semaphore, until, within } from './index.js';

const never = new Promise<never>(() => undefined);
const reason = new Error('called off');

/** Lets due work run: promises and fake timers. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('within', () => {
  it('returns a result that comes in time, and leaves no timer behind', async () => {
    await expect(within(Promise.resolve('here'), 1_000)).resolves.toBe('here');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws an error that comes in time', async () => {
    await expect(within(Promise.reject(reason), 1_000)).rejects.toBe(reason);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('returns undefined at the limit, not before', async () => {
    const settled: unknown[] = [];
    void within(never, 1_000).then((answer) => settled.push(answer));
    await pass(999);
    expect(settled).toEqual([]);
    await pass(1);
    expect(settled).toEqual([undefined]);
  });

  it('keeps a later failure from ending the process', async () => {
    let fail: (error: Error) => void = () => undefined;
    const unhandled = jest.fn();
    process.once('unhandledRejection', unhandled);
    const late = within(new Promise((_, reject) => (fail = reject)), 10);
    await pass(10);
    await late;
    fail(reason);
    jest.useRealTimers();
    await new Promise(setImmediate);
    process.removeListener('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('abortable', () => {
  it('returns the result of the work, and removes its listener', async () => {
    const { signal } = new AbortController();
    const off = jest.spyOn(signal, 'removeEventListener');
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(reason), signal)).rejects.toBe(reason);
    expect(off).toHaveBeenCalledTimes(2);
  });

  it('throws the reason when the signal is aborted, before or meanwhile', async () => {
    await expect(abortable(never, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const outcome = expect(abortable(never, controller.signal)).rejects.toBe(reason);
    controller.abort(reason);
    await outcome;
  });
});

describe('aborted', () => {
  it('resolves for a signal that is aborted already, and for one that is aborted later', async () => {
    await aborted(AbortSignal.abort());
    const controller = new AbortController();
    const told = jest.fn();
    void aborted(controller.signal).then(told);
    await pass(0);
    expect(told).not.toHaveBeenCalled();
    controller.abort();
    await pass(0);
    expect(told).toHaveBeenCalled();
  });
});

describe('Bell', () => {
  it('wakes all current waiters, and no later one', async () => {
    const bell = new Bell();
    const woken: string[] = [];
    void bell.wait().then(() => woken.push('one'));
    void bell.wait().then(() => woken.push('other'));
    bell.sound();
    void bell.wait().then(() => woken.push('late'));
    await pass(0);
    expect(woken).toEqual(['one', 'other']);
  });

  it('checks at once, at each ring, and when the time is over', async () => {
    const bell = new Bell();
    let looks = 0;
    const found: unknown[] = [];
    const find = () => (++looks, undefined);
    void bell.until(find, 100).then((answer) => found.push(answer));
    expect(looks).toBe(1);
    bell.sound();
    await pass(0);
    expect(looks).toBe(2);
    await pass(99);
    expect({ looks, found }).toEqual({ looks: 2, found: [] });
    await pass(1);
    expect({ looks, found }).toEqual({ looks: 3, found: [undefined] });
  });

  it('returns the value that it finds, and leaves no timer behind', async () => {
    const bell = new Bell();
    await expect(bell.until(() => 'there', 0)).resolves.toBe('there');
    const room: { value?: number } = {};
    const answer = bell.until(() => room.value, 100);
    room.value = 7;
    bell.sound();
    await expect(answer).resolves.toBe(7);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws the reason when the signal is aborted', async () => {
    const controller = new AbortController();
    const outcome = expect(new Bell().until(() => undefined, 100, controller.signal)).rejects.toBe(reason);
    controller.abort(reason);
    await outcome;
  });
});

describe('retryWhile', () => {
  beforeEach(() => void jest.useRealTimers());

  it('tries again as long as failures may pass, and reports each', async () => {
    const failures: unknown[] = [];
    const mayPass = (error: unknown) => failures.push(error) > 0;
    let asked = 0;
    const ask = () => (++asked < 3 ? Promise.reject(new Error(`no ${asked}`)) : Promise.resolve(asked));
    await expect(retryWhile(ask, { mayPass, pauseMs: 0 })).resolves.toBe(3);
    expect(failures).toEqual([new Error('no 1'), new Error('no 2')]);
  });

  it('throws a failure that does not pass', async () => {
    const ask = jest.fn(() => Promise.reject(reason));
    await expect(retryWhile(ask, { mayPass: () => false, pauseMs: 0 })).rejects.toBe(reason);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('does not begin when aborted, and gives up when it is aborted during an attempt or a pause', async () => {
    const mayPass = () => true;
    const ask = jest.fn(() => Promise.reject(new Error('not yet')));
    await expect(retryWhile(ask, { mayPass, pauseMs: 0, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(ask).not.toHaveBeenCalled();

    const whileAsking = new AbortController();
    const asking = () => (whileAsking.abort(reason), Promise.reject(new Error('broken off')));
    await expect(retryWhile(asking, { mayPass, pauseMs: 0, signal: whileAsking.signal })).rejects.toBe(reason);

    const inPause = new AbortController();
    const noted = () => (setImmediate(() => inPause.abort(reason)), true);
    const pausing = retryWhile(ask, { mayPass: noted, pauseMs: 60_000, signal: inPause.signal });
    await expect(pausing).rejects.toBe(reason);
  });
});

describe('until', () => {
  beforeEach(() => void jest.useRealTimers());

  it('probes until the result is something other than undefined or false', async () => {
    const answers = [undefined, false, 0] as const;
    let looks = 0;
    await expect(until(() => answers[looks++], 0)).resolves.toBe(0);
    expect(looks).toBe(3);
  });

  it('ends with the signal', async () => {
    const controller = new AbortController();
    const look = () => (setImmediate(() => controller.abort(reason)), undefined);
    await expect(until(look, 60_000, controller.signal)).rejects.toBe(reason);
  });
});

describe('Semaphore', () => {
  /** Runs a task that ends when it is told to. */
  const held = (turns: Semaphore, name: string, log: string[], signal?: AbortSignal) => {
    let end: () => void = () => undefined;
    const task = () => (log.push(name), new Promise<void>((resolve) => (end = resolve)));
    const done = turns.run(task, signal);
    return { done, end: () => (end(), done) };
  };

  it('runs as many tasks at once as it has room for, the others in the order of their arrival', async () => {
    const turns = new Semaphore(2);
    const log: string[] = [];
    const [a, b] = ['a', 'b', 'c', 'd'].map((name) => held(turns, name, log));
    await pass(0);
    expect(log).toEqual(['a', 'b']);
    await b.end();
    await pass(0);
    expect(log).toEqual(['a', 'b', 'c']);
    await a.end();
    await pass(0);
    expect(log).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on after a task that fails, whether it throws or rejects', async () => {
    const turns = new Semaphore(1);
    await expect(turns.run(() => Promise.reject(reason))).rejects.toBe(reason);
    const thrower = () => {
      throw reason;
    };
    await expect(turns.run(thrower)).rejects.toBe(reason);
    await expect(turns.run(() => Promise.resolve(1))).resolves.toBe(1);
  });

  it('rejects a waiter whose signal is aborted, and never runs its task', async () => {
    const turns = new Semaphore(1);
    const log: string[] = [];
    const first = held(turns, 'first', log);
    const controller = new AbortController();
    const given = held(turns, 'given up', log, controller.signal);
    const last = held(turns, 'last', log);
    controller.abort(reason);
    await expect(given.done).rejects.toBe(reason);
    await first.end();
    await pass(0);
    expect(log).toEqual(['first', 'last']);
    await last.end();
    await expect(held(turns, 'never', log, AbortSignal.abort(reason)).done).rejects.toBe(reason);
    expect(log).toEqual(['first', 'last']);
  });

  it('frees exactly one place for each task that has ended', async () => {
    const turns = new Semaphore(2);
    await Promise.all([1, 2, 3, 4, 5].map(() => turns.run(() => Promise.resolve())));
    const log: string[] = [];
    ['a', 'b', 'c'].forEach((name) => void held(turns, name, log));
    await pass(0);
    expect(log).toEqual(['a', 'b']);
  });
});
