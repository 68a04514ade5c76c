/** How far one walk, and all walks of a mount, may read ahead. ADR 17 says why so far. */
export interface AheadBounds {
  /** Pages of one walk that are held or asked for; 0: nothing is read ahead. */
  pages: number;
  /** Requests under way for all walks. */
  requests: number;
  /** Names held or asked for, of all walks. */
  names: number;
  /** Of the names that are held, roughly: keys may be long. */
  bytes: number;
}

export const usualBounds: AheadBounds = { pages: 32, requests: 32, names: 64_000, bytes: 32 * 1024 * 1024 };
export const noBounds: AheadBounds = { pages: 0, requests: 0, names: 0, bytes: 0 };

const firstRequests = 8;
/** By this factor the limit falls when the store refuses or times out, as for transfers (ADR 16). */
const backOffFactor = 0.7;
const tolerableShare = 0.05;
const tolerableRefusals = 2;
const shortestWindow = 8;
/** So many failures without an answer between them: the store is not asked beside the walk until it answers the walk. */
const hopelessFailures = 8;

/** What is read ahead of all walks of one mount, together: requests under way, and names and bytes in memory. */
export class AheadLimits {
  private limit: number;
  private underWay = 0;
  private held = { names: 0, bytes: 0 };
  private answers = 0;
  private refusals = 0;
  private failuresInRow = 0;
  private notBeforeMs = -Infinity;
  private isHopeless = false;

  constructor(
    private readonly bounds: AheadBounds,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.limit = Math.min(firstRequests, bounds.requests);
  }

  get maxPages(): number {
    return this.isHopeless ? 0 : this.bounds.pages;
  }

  get requests(): number {
    return Math.floor(this.limit);
  }

  get names(): number {
    return this.held.names;
  }

  /** Whether one more request, for so many names, may begin now. */
  allows(names: number): boolean {
    if (this.underWay >= this.requests || this.failuresInRow >= hopelessFailures) return false;
    if (this.held.names + names > this.bounds.names || this.held.bytes >= this.bounds.bytes) return false;
    return this.nowMs() >= this.notBeforeMs;
  }

  /** The store does not begin a listing where it is asked to: no walk of it reads ahead any more. */
  giveUp(): void {
    this.isHopeless = true;
  }

  hold(names: number, bytes: number): void {
    this.held.names += names;
    this.held.bytes += bytes;
  }

  began(): void {
    this.underWay++;
  }

  ended(): void {
    this.underWay--;
  }

  /** The store gave an answer, also to the walk itself. */
  succeeded(): void {
    this.answers++;
    this.failuresInRow = 0;
    this.judgeFullWindow();
  }

  /** @param isRefusal the store asks to slow down, or does not answer */
  failed(isRefusal: boolean, retryAfterMs = 0): void {
    this.failuresInRow++;
    if (isRefusal) this.refusals++;
    else this.answers++;
    if (retryAfterMs > 0) this.notBeforeMs = Math.max(this.notBeforeMs, this.nowMs() + retryAfterMs);
    this.judgeFullWindow();
  }

  /** Some stores refuse now and then; only more refusals than that are a reason to ask less. */
  private judgeFullWindow(): void {
    const all = this.answers + this.refusals;
    const isMany = this.refusals > Math.max(tolerableRefusals, tolerableShare * all);
    if (!isMany && all < Math.max(shortestWindow, this.limit)) return;
    if (isMany) this.limit = Math.max(1, this.limit * backOffFactor);
    else this.limit = Math.min(this.bounds.requests, this.limit + Math.max(1, this.limit / 2));
    this.answers = this.refusals = 0;
  }
}
