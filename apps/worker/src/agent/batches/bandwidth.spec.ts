import fc from 'fast-check';
import { BandwidthLimiter } from './bandwidth.js';

describe('BandwidthLimiter', () => {
  const never = new AbortController().signal;
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** Fake timers move `performance.now` too. */
  const start = (rate: number) => ({ limiter: new BandwidthLimiter(rate), startedAtMs: performance.now() });

  it('lets through exactly what the rate allows, from the first moment on', async () => {
    const requests = fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1000, max: 2_000_000 }), async (sizes, rate) => {
        const { limiter, startedAtMs } = start(rate);
        let granted = 0;
        const all = sizes.map(async (bytes) => {
          await limiter.pay(bytes, never);
          granted += bytes;
          expect(granted).toBeLessThanOrEqual(((performance.now() - startedAtMs) / 1000) * rate + 1);
        });
        await jest.runAllTimersAsync();
        await Promise.all(all);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        expect((performance.now() - startedAtMs) / 1000).toBeLessThanOrEqual(total / rate + 0.001 * (sizes.length + 1));
      }),
    );
  });

  it('saves up no more than a moment of idle time', async () => {
    const { limiter } = start(1000);
    await jest.advanceTimersByTimeAsync(60_000);
    let done = false;
    const paid = limiter.pay(1000, never).then(() => (done = true));
    await jest.advanceTimersByTimeAsync(800);
    expect(done).toBe(false);
    await jest.advanceTimersByTimeAsync(200);
    await paid;
  });

  it('takes a new rate at once, also for waiting calls', async () => {
    const { limiter, startedAtMs } = start(1);
    const paid = limiter.pay(1_000_000, never);
    limiter.setRate(1_000_000);
    await jest.advanceTimersByTimeAsync(1001);
    await paid;
    const unlimited = limiter.pay(10, never);
    limiter.setRate(0);
    await unlimited;
    expect(performance.now() - startedAtMs).toBeLessThan(1100);
  });

  it('does not charge a call that is aborted', async () => {
    const { limiter } = start(1000);
    const abort = new AbortController();
    const aborted = limiter.pay(1_000_000, abort.signal);
    const next = limiter.pay(1000, never);
    abort.abort(new Error('stopped'));
    await expect(aborted).rejects.toThrow('stopped');
    await jest.advanceTimersByTimeAsync(1001);
    await next;
  });
});
