/** Before anything is known of a store: what suits a store on the same machine. Latency alone does not lower it further. */
const firstLimit = 32;
/** For a store that refuses. */
const leastLimit = 4;
/** A limit is judged by the transfers of one window: as many as the limit allows, within these times. */
const leastWindowMs = 100;
const longestWindowMs = 1_000;
/** Waiting below this much counts as no sign of saturation: it is as much as a busy process adds by itself. */
const slackMs = 20;
/** How long the shortest latency is remembered; a store may become slower for good. */
const memoryMs = 60_000;
/** By this factor a limit falls when the store refuses or times out, as in TCP since RFC 9438 (CUBIC). */
const backOffFactor = 0.7;
/**
 * Some stores refuse now and then for reasons of their own. Fewer transfers would not change that. In a small window a
 * single refusal is a large share and says nothing.
 */
const tolerableShare = 0.05;
const tolerableRefusals = 2;
/** How long a limit does not grow after the store refused. */
const holdMs = 1_000;

/**
 * How many transfers of one store may be under way, found out from how long they take.
 *
 * More transfers bring more files a second as long as each takes no longer than alone: then most of the time is spent
 * on the way. When they begin to queue somewhere (in the store, on the link, or for this process' CPU), each takes
 * longer and the rate stays the same. So the limit grows while the median latency stays below twice the lowest one
 * known, plus some slack, and falls to where it would be just there. It does not fall below where it began: on a busy
 * machine each transfer takes longer, however few there are. This is the idea of TCP Vegas (Brakmo and
 * Peterson, 1995). The rate itself would be a worse guide: it swings with the sizes of files and with the disk. A
 * limit also falls when the store refuses more than a few of the transfers, or does not answer (AIMD).
 */
export class ConcurrencyLimit {
  private limit: number;
  private latencies: number[] = [];
  /** Of this window; only those of small objects have a latency that says something. */
  private successes = 0;
  private refusals = 0;
  private windowStartMs: number;
  /** Whether all that was allowed was under way at some time in this window. */
  private reached = false;
  /** At first the limit grows fast, as in TCP's slow start. */
  private starting = true;
  private backedOffAtMs = -Infinity;
  /** The lowest median of a window in this span of time and in the one before it. */
  private lowestMs = Infinity;
  private lowestBeforeMs = Infinity;
  private spanStartMs: number;

  constructor(
    private readonly max: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.limit = Math.min(firstLimit, max);
    this.windowStartMs = this.spanStartMs = nowMs();
  }

  get value(): number {
    return Math.floor(this.limit);
  }

  /**
   * A transfer has ended well.
   * @param underWay how many there were, this one included
   * @param latencyMs undefined for a large object, whose time tells its size
   */
  ended(underWay: number, latencyMs?: number): void {
    this.successes++;
    if (latencyMs !== undefined) this.latencies.push(latencyMs);
    if (underWay >= this.value) this.reached = true;
    this.judgeFullWindow();
  }

  /** The store refused a transfer because there were too many, or did not answer. */
  refused(): void {
    this.refusals++;
    this.judgeFullWindow();
  }

  private judgeFullWindow(): void {
    const now = this.nowMs();
    const elapsedMs = now - this.windowStartMs;
    const isFull = this.successes + this.refusals >= this.limit && elapsedMs >= leastWindowMs;
    if (!isFull && elapsedMs < longestWindowMs) return;
    this.judge(now);
    this.latencies = [];
    this.successes = this.refusals = 0;
    this.reached = false;
    this.windowStartMs = now;
  }

  private judge(now: number): void {
    if (this.refusals > Math.max(tolerableRefusals, tolerableShare * (this.successes + this.refusals))) {
      this.backedOffAtMs = now;
      this.starting = false;
      this.set(this.limit * backOffFactor);
      return;
    }
    const mayGrow = this.reached && now - this.backedOffAtMs >= holdMs;
    if (this.latencies.length === 0) {
      // Nothing tells how far to go. What refusals took away comes back.
      if (mayGrow && this.limit < firstLimit) this.set(Math.min(firstLimit, this.limit + Math.sqrt(this.limit)));
      return;
    }
    const medianMs = this.latencies.sort((a, b) => a - b)[this.latencies.length >> 1];
    const targetMs = 2 * this.lowest(now, medianMs) + slackMs;
    if (medianMs > targetMs) {
      this.starting = false;
      const wanted = this.limit * Math.max(0.5, targetMs / medianMs);
      this.set(Math.max(wanted, Math.min(this.limit, firstLimit)));
    } else if (mayGrow) {
      this.set(this.limit + (this.starting ? this.limit / 2 : Math.max(Math.sqrt(this.limit), this.limit / 8)));
    }
  }

  private lowest(now: number, medianMs: number): number {
    if (now - this.spanStartMs > memoryMs / 2) {
      this.spanStartMs = now;
      this.lowestBeforeMs = this.lowestMs;
      this.lowestMs = Infinity;
    }
    this.lowestMs = Math.min(this.lowestMs, medianMs);
    return Math.min(this.lowestMs, this.lowestBeforeMs);
  }

  private set(limit: number): void {
    this.limit = Math.min(this.max, Math.max(Math.min(leastLimit, this.max), limit));
  }
}

/** Far more than a worker has mounts and neighbours: this only bounds what was unmounted long ago. */
const rememberedStores = 1_000;

/** One limit for each place that bytes come from. */
export class ConcurrencyLimits {
  private readonly limits = new Map<string, ConcurrencyLimit>();

  constructor(private readonly max: number) {}

  of(store: string): ConcurrencyLimit {
    const known = this.limits.get(store);
    if (known !== undefined) return known;
    const limit = new ConcurrencyLimit(this.max);
    this.limits.set(store, limit);
    if (this.limits.size > rememberedStores) this.limits.delete(this.limits.keys().next().value!);
    return limit;
  }
}
