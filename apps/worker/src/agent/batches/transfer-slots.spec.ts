import fc from 'fast-check';
import { UfsError } from '#ufs';
import { ConcurrencyLimit } from './concurrency-limit.js';
import { TransferSlots, type SlotUser } from './transfer-slots.js';

const never = new AbortController().signal;
const turn = () => new Promise(setImmediate);

describe('TransferSlots', () => {
  const user = { store: 's3://b/', jobId: 'j' };

  it('runs at most so many of one job at once, in order', async () => {
    const slots = new TransferSlots({ size: 2 });
    let running = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        slots.run(user, never, async () => {
          order.push(index);
          most = Math.max(most, ++running);
          await turn();
          running--;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('loses no slot to a failure or to someone aborted while waiting', async () => {
    const slots = new TransferSlots({ size: 1 });
    let end!: () => void;
    const first = slots.run(user, never, () => new Promise<void>((resolve) => (end = resolve)));
    const abort = new AbortController();
    const aborted = slots.run(user, abort.signal, () => Promise.resolve());
    const failing = slots.run(user, never, () => Promise.reject(new Error('failed')));
    abort.abort(new Error('stopped'));
    await expect(aborted).rejects.toThrow('stopped');
    end();
    await first;
    await expect(failing).rejects.toThrow('failed');
    await expect(slots.run(user, never, () => Promise.resolve('ran'))).resolves.toBe('ran');
  });

  it('does two files at once beside four thousand that hang, of another store or another job', async () => {
    const slots = new TransferSlots({ size: 32 });
    const stop = new AbortController();
    const hung = Array.from({ length: 4_000 }, () =>
      slots
        .run(
          { store: 's3://hung/', jobId: 'h' },
          stop.signal,
          () => new Promise((end) => stop.signal.addEventListener('abort', end)),
        )
        .catch(() => undefined),
    );
    await turn();
    for (const other of [user, { store: 's3://hung/', jobId: 'other' }]) {
      const two = [1, 2].map((n) => slots.run(other, never, () => Promise.resolve(n)));
      expect(await Promise.all(two)).toEqual([1, 2]);
    }
    stop.abort();
    await Promise.all(hung);
  });
});

describe('TransferSlots for transfers whose bytes have arrived', () => {
  const user = { store: 's3://b/', jobId: 'j' };

  /** A transfer whose bytes arrive when told, and which then waits for the disk. */
  function transfer(slots: TransferSlots, bytes: number, store = user.store) {
    const steps = { started: false, arrive: () => {}, end: () => {} };
    const done = slots.run({ ...user, store }, never, async (slot) => {
      steps.started = true;
      await new Promise<void>((arrive) => (steps.arrive = arrive));
      slot.arrived(bytes);
      await new Promise<void>((end) => (steps.end = end));
    });
    return { steps, done };
  }

  it('lets the next one begin while the disk is at work', async () => {
    const slots = new TransferSlots({ size: 1, maxLandingBytes: 100 });
    const [first, second] = [transfer(slots, 60), transfer(slots, 60)];
    await turn();
    expect(second.steps.started).toBe(false);
    first.steps.arrive();
    await turn();
    expect(second.steps.started).toBe(true);
  });

  it('keeps the slot when too many bytes wait for the disk, and gives it back at the end', async () => {
    const slots = new TransferSlots({ size: 1, maxLandingBytes: 100 });
    const [first, second, third] = [transfer(slots, 60), transfer(slots, 60), transfer(slots, 60)];
    await turn();
    first.steps.arrive();
    await turn();
    second.steps.arrive();
    await turn();
    expect(third.steps.started).toBe(false);
    first.steps.end();
    await first.done;
    expect(third.steps.started).toBe(false);
    second.steps.end();
    await second.done;
    await turn();
    expect(third.steps.started).toBe(true);
  });

  it('starts no more of a store than its limit allows, whatever else is free', async () => {
    const limits = new Map(
      ['s3://small/', 's3://large/'].map((store) => [store, new ConcurrencyLimit(store.includes('small') ? 2 : 8)]),
    );
    const slots = new TransferSlots({ size: 64, limitOf: (store) => limits.get(store)! });
    const started = (store: string) =>
      Array.from({ length: 20 }, () => transfer(slots, 1, store)).map(({ steps }) => steps);
    const all = [started('s3://small/'), started('s3://large/')];
    await turn();
    expect(all.map((steps) => steps.filter(({ started }) => started).length)).toEqual([2, 8]);
  });

  it('tells the limit of refusals and of the time that transfers took', async () => {
    const limit = new ConcurrencyLimit(8);
    const ended = jest.spyOn(limit, 'ended');
    const refused = jest.spyOn(limit, 'refused');
    const slots = new TransferSlots({ size: 64, limitOf: () => limit });
    const one = transfer(slots, 1);
    await turn();
    one.steps.arrive();
    await turn();
    expect(ended.mock.calls).toEqual([[1, expect.any(Number)]]);
    await slots.run(user, never, () => Promise.resolve('a large one'));
    expect(ended.mock.calls.slice(1)).toEqual([[2]]);
    const slowDown = new UfsError('Throttled', 's3://b/k', 'Slow down.');
    await expect(slots.run(user, never, () => Promise.reject(slowDown))).rejects.toBe(slowDown);
    const gone = new UfsError('NotFound', 's3://b/k', 'Gone.');
    await expect(slots.run(user, never, () => Promise.reject(gone))).rejects.toBe(gone);
    expect(refused).toHaveBeenCalledTimes(1);
  });
});

/** What is asked for and given back, drawn from a seed, against what must hold at any moment. */
describe('TransferSlots, for any requests', () => {
  const step = fc.oneof(
    fc.record({ ask: fc.record({ store: fc.nat(3), job: fc.nat(2) }) }),
    fc.record({ end: fc.nat() }),
    fc.record({ abort: fc.nat() }),
  );

  it('no job waits below its share, no slot stays empty, and nothing is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 120 }), async (size, steps) => {
        const slots = new TransferSlots({ size });
        const running: { user: SlotUser; end: () => void }[] = [];
        const waiting: { user: SlotUser; abort: AbortController }[] = [];
        const ask = ({ store, job }: { store: number; job: number }) => {
          const user = { store: `s${store}`, jobId: `j${job}` };
          const waiter = { user, abort: new AbortController() };
          waiting.push(waiter);
          const run = () => {
            waiting.splice(waiting.indexOf(waiter), 1);
            return new Promise<void>((end) => running.push({ user, end }));
          };
          slots.run(user, waiter.abort.signal, run).catch(() => undefined);
        };
        for (const one of steps) {
          if ('ask' in one) ask(one.ask);
          else if ('end' in one && running.length > 0) running.splice(one.end % running.length, 1)[0].end();
          else if ('abort' in one && waiting.length > 0) waiting.splice(one.abort % waiting.length, 1)[0].abort.abort();
          await turn();
          const all = [...running, ...waiting].map(({ user }) => user);
          const stores = new Set(all.map(({ store }) => store)).size;
          for (const { user } of waiting) {
            const jobs = new Set(all.filter(({ store }) => store === user.store).map(({ jobId }) => jobId)).size;
            const share = Math.max(1, Math.floor(Math.max(1, Math.floor(size / stores)) / jobs));
            const held = running.filter((other) => other.user.store === user.store && other.user.jobId === user.jobId);
            expect(held.length).toBeGreaterThanOrEqual(share);
          }
          if (waiting.length > 0) expect(running.length).toBeGreaterThanOrEqual(size);
        }
        // All that waits comes to its turn.
        while (running.length > 0) {
          running.splice(0).forEach(({ end }) => end());
          await turn();
        }
        expect(waiting).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
