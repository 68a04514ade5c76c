import { ConcurrencyLimit, ConcurrencyLimits } from './concurrency-limit.js';

/** A store that gives each transfer its latency, and together no more transfers a second than its capacity. */
class Store {
  nowMs = 0;
  refusedAbove = Infinity;
  refusedShare = 0;
  /** Its objects are large. */
  isLarge = false;
  latencyMs = 30;
  private seed = 1;
  readonly limit: ConcurrencyLimit;

  constructor(
    public perSecond: number,
    max = 512,
  ) {
    this.limit = new ConcurrencyLimit(max, () => this.nowMs);
  }

  /** The same numbers in each run: a linear congruential generator (Numerical Recipes). */
  private random(): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return this.seed / 2 ** 32;
  }

  /** As many transfers at once as the limit allows, for so long. */
  run(seconds: number, demand = Infinity): void {
    for (const endMs = this.nowMs + seconds * 1000; this.nowMs < endMs;) {
      const underWay = Math.min(this.limit.value, demand);
      // Little's law: what is under way beyond latency × rate waits.
      const tookMs = Math.max(this.latencyMs, (underWay / this.perSecond) * 1000);
      this.nowMs += tookMs;
      for (let i = 0; i < underWay; i++) {
        if (i >= this.refusedAbove || this.random() < this.refusedShare) this.limit.refused();
        else this.limit.ended(underWay, this.isLarge ? undefined : tookMs);
      }
    }
  }
}

describe('a concurrency limit', () => {
  it.each([
    [5, 20_000],
    [30, 4_000],
    [100, 2_000],
    [100, 4_000],
  ])('brings a store with %i ms and %i transfers a second to its full rate', (latencyMs, perSecond) => {
    const store = new Store(perSecond);
    store.latencyMs = latencyMs;
    store.run(5);
    expect(store.limit.value).toBeGreaterThanOrEqual((latencyMs / 1000) * perSecond);
  });

  it('does not grow far beyond what the store serves at once', () => {
    const store = new Store(2_000);
    store.run(60);
    // Twice the latency, and the slack.
    expect(store.limit.value).toBeLessThanOrEqual(((2 * 30 + 20) / 1000) * 2_000 * 1.3);
  });

  it('never exceeds its upper bound', () => {
    const store = new Store(1e6, 40);
    store.run(10);
    expect(store.limit.value).toBe(40);
    expect(new ConcurrencyLimit(2).value).toBe(2);
  });

  it('stays where it is while fewer transfers are wanted', () => {
    const store = new Store(1e6);
    store.run(10, 8);
    expect(store.limit.value).toBe(32);
  });

  it('falls when the store refuses, and settles around what it takes', () => {
    const store = new Store(1e6);
    store.refusedAbove = 60;
    store.run(60);
    expect(store.limit.value).toBeGreaterThan(20);
    expect(store.limit.value).toBeLessThan(120);
    store.refusedAbove = 3;
    store.run(60);
    expect(store.limit.value).toBeLessThanOrEqual(6);
  });

  it('grows although one of a hundred transfers is refused', () => {
    const store = new Store(1e6, 300);
    store.refusedShare = 0.01;
    store.run(30);
    expect(store.limit.value).toBe(300);
  });

  it('stays where it began for large objects, one of a hundred refused, and comes back to it after an outage', () => {
    const store = new Store(1e6);
    store.isLarge = true;
    store.refusedShare = 0.01;
    store.run(60);
    expect(store.limit.value).toBe(32);
    store.refusedShare = 1;
    store.run(30);
    expect(store.limit.value).toBeLessThan(10);
    store.refusedShare = 0.01;
    store.run(30);
    expect(store.limit.value).toBe(32);
  });

  it('falls once for the refusals of one moment', () => {
    const store = new Store(1e6);
    store.nowMs = 200;
    for (let i = 0; i < 40; i++) store.limit.refused();
    expect(store.limit.value).toBe(22);
  });

  it('follows a store that becomes slower for good', () => {
    const store = new Store(4_000);
    store.run(10);
    store.latencyMs = 200;
    store.run(120);
    expect(store.limit.value).toBeGreaterThanOrEqual(400);
  });

  it('is not brought below its start by a machine that is busy with other things', () => {
    const store = new Store(10_000);
    store.run(1);
    store.latencyMs = 5_000;
    store.run(60);
    expect(store.limit.value).toBeGreaterThanOrEqual(32);
  });
});

test('each store has a limit of its own, and those of long ago are forgotten', () => {
  const limits = new ConcurrencyLimits(64);
  const first = limits.of('s3://a/');
  expect(limits.of('s3://a/')).toBe(first);
  expect(limits.of('s3://b/')).not.toBe(first);
  for (let i = 0; i < 1_000; i++) limits.of(`s3://other-${i}/`);
  expect(limits.of('s3://a/')).not.toBe(first);
});
