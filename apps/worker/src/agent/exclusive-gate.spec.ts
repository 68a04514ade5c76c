import { ExclusiveGate } from './exclusive-gate.js';

describe('ExclusiveGate', () => {
  const never = new AbortController().signal;

  it('runs suspects alone and the others beside each other, in order', async () => {
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

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
