import { TransferSlots } from './transfer-slots.js';

describe('TransferSlots', () => {
  const never = new AbortController().signal;

  it('runs at most so many at once, in order', async () => {
    const slots = new TransferSlots(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        slots.run(never, async () => {
          order.push(index);
          most = Math.max(most, ++running);
          await new Promise(setImmediate);
          running--;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('loses no slot to a failure or to someone aborted while waiting', async () => {
    const slots = new TransferSlots(1);
    let end!: () => void;
    const first = slots.run(never, () => new Promise<void>((resolve) => (end = resolve)));
    const abort = new AbortController();
    const aborted = slots.run(abort.signal, () => Promise.resolve());
    const failing = slots.run(never, () => Promise.reject(new Error('failed')));
    abort.abort(new Error('stopped'));
    await expect(aborted).rejects.toThrow('stopped');
    end();
    await first;
    await expect(failing).rejects.toThrow('failed');
    await expect(slots.run(never, () => Promise.resolve('ran'))).resolves.toBe('ran');
  });
});
