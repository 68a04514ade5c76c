/** How far the walks of a mount may read ahead. ADR 17 explains the numbers. */
export interface AheadBounds {
  /** Pages of one walk that are held or asked for. */
  pages: number;
  /** Requests under way for all walks. */
  requests: number;
  /** Names held or asked for, of all walks. */
  names: number;
  /** Of the names that are held, roughly: keys may be long. */
  bytes: number;
}

export const usualBounds: AheadBounds = { pages: 32, requests: 32, names: 64_000, bytes: 32 * 1024 * 1024 };

/** By so much the limit of requests grows with each answer. After a refusal it is half. */
const growth = 0.5;

/** What counts against the bounds. */
export interface Share {
  names: number;
  bytes: number;
}

/** What is read ahead for all walks of one mount, together: requests under way, and names and bytes in memory. */
export class AheadLimits {
  private requests: number;
  private underWay = 0;
  private notBeforeMs = -Infinity;
  readonly held: Share = { names: 0, bytes: 0 };

  constructor(
    private readonly bounds: AheadBounds,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.requests = bounds.requests;
  }

  get maxPages(): number {
    return this.bounds.pages;
  }

  /** Whether one more request, for so much, may begin now. */
  allows({ names, bytes }: Share): boolean {
    if (this.underWay >= Math.floor(this.requests) || this.nowMs() < this.notBeforeMs) return false;
    return this.held.names + names <= this.bounds.names && this.held.bytes + bytes <= this.bounds.bytes;
  }

  hold(after: Share, before: Share): void {
    this.held.names += after.names - before.names;
    this.held.bytes += after.bytes - before.bytes;
  }

  began(): void {
    this.underWay++;
  }

  ended(): void {
    this.underWay--;
  }

  answered(): void {
    this.requests = Math.min(this.bounds.requests, this.requests + growth);
  }

  /** The store asks to slow down, or does not answer. */
  refused(retryAfterMs = 0): void {
    this.requests = Math.max(1, this.requests / 2);
    this.notBeforeMs = Math.max(this.notBeforeMs, this.nowMs() + retryAfterMs);
  }
}
