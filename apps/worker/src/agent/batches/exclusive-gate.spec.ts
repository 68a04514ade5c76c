import { ExclusiveGate } from './exclusive-gate.js';

describe('ExclusiveGate', () => {
  const never = new AbortController().signal;

  it('runs suspects alone and other batches in parallel, in order', async () => {
    const gate = new ExclusiveGate();
    const running = new Set<string>();
    const seen: string[] = [];
    const ends = new Map<string, () => void>();
    const enter = (name: string, alone: boolean) =>
      gate.run(alone, never, async () => {
        running.add(name);
        seen.push([...running].join('+'));
        await new Promise<void>((resolve) => ends.set(name, resolve));
        running.delete(name);
      });
    const all = [enter('a', false), enter('b', false), enter('x', true), enter('c', false), enter('y', true)];
    for (const name of ['a', 'b', 'x', 'c', 'y']) {
      await until(() => ends.has(name));
      ends.get(name)!();
    }
    await Promise.all(all);
    expect(seen).toEqual(['a', 'a+b', 'x', 'c', 'y']);
  });

  it('lets the others go on when a waiting suspect is aborted', async () => {
    const gate = new ExclusiveGate();
    let end!: () => void;
    const first = gate.run(false, never, () => new Promise<void>((resolve) => (end = resolve)));
    const abort = new AbortController();
    const suspect = gate.run(true, abort.signal, () => Promise.resolve('ran'));
    const third = gate.run(false, never, () => Promise.resolve('ran'));
    abort.abort(new Error('stopped'));
    await expect(suspect).rejects.toThrow('stopped');
    expect(await third).toBe('ran');
    end();
    await first;
  });
});

describe('ExclusiveGate, when a batch takes long', () => {
  const never = new AbortController().signal;
  const forEver = () => new Promise<void>(() => undefined);

  it('lets a suspect run beside others, and others beside a suspect', async () => {
    jest.useFakeTimers();
    const gate = new ExclusiveGate(1_000);
    const entered: string[] = [];
    const enter = (name: string, alone: boolean) =>
      void gate.run(alone, never, () => {
        entered.push(name);
        return forEver();
      });
    enter('waits', false);
    enter('suspect', true);
    enter('behind', false);
    await jest.advanceTimersByTimeAsync(999);
    expect(entered).toEqual(['waits']);
    await jest.advanceTimersByTimeAsync(1);
    expect(entered).toEqual(['waits', 'suspect', 'behind']);
    jest.useRealTimers();
  });

  it('does not hold up all batches for a single suspect', async () => {
    jest.useFakeTimers();
    const gate = new ExclusiveGate(1_000);
    const entered: string[] = [];
    void gate.run(true, never, forEver);
    void gate.run(false, never, () => Promise.resolve(void entered.push('one')));
    await jest.advanceTimersByTimeAsync(1_000);
    void gate.run(false, never, () => Promise.resolve(void entered.push('other')));
    await jest.advanceTimersByTimeAsync(0);
    expect(entered).toEqual(['one', 'other']);
    jest.useRealTimers();
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
