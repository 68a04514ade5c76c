/**
 * Which processes were heard lately, by this process's own monotonic clock: wall clocks of other machines, and jumps of
 * our own, do not matter. While this process itself receives nothing (`suspend`), no process becomes silent.
 */
export class LiveSet {
  private readonly heard = new Map<string, number>();
  private suspendedSince: number | undefined;

  constructor(
    private readonly timeoutMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  hear(id: string): void {
    this.heard.set(id, this.now());
  }

  forget(id: string): void {
    this.heard.delete(id);
  }

  /** From now on silence does not count: our own connection is down. */
  suspend(): void {
    this.suspendedSince ??= this.now();
  }

  /** Silence counts again. The time while our connection was down is not counted for any process. */
  resume(): void {
    if (this.suspendedSince === undefined) return;
    this.forgive(this.now() - this.suspendedSince);
    this.suspendedSince = undefined;
  }

  /** Does not count this time for any process: this process itself stood still and received nothing. */
  forgive(deafMs: number): void {
    for (const [id, at] of this.heard) this.heard.set(id, at + deafMs);
  }

  isLive(id: string): boolean {
    const silence = this.silenceMs(id);
    return silence !== undefined && silence <= this.timeoutMs;
  }

  /** Time since the process was last heard; undefined if it never was. Stands still while suspended. */
  silenceMs(id: string): number | undefined {
    const at = this.heard.get(id);
    return at === undefined ? undefined : (this.suspendedSince ?? this.now()) - at;
  }

  live(): string[] {
    return [...this.heard.keys()].filter((id) => this.isLive(id)).sort();
  }

  get suspended(): boolean {
    return this.suspendedSince !== undefined;
  }
}

/**
 * Detects that this process stood still (frozen, swapped out, blocked), from the time between two looks that should
 * come at a regular pace. Messages sent meanwhile are still unread, so the silence of other processes means nothing.
 */
export class StallWatch {
  private last: number | undefined;

  /** @param paceMs how often a running process calls `look` */
  constructor(
    private readonly paceMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How long the process stood still since the last look; 0 if it did not. */
  look(): number {
    const at = this.now();
    const stalledMs = this.stalledMs();
    this.last = at;
    return stalledMs;
  }

  /** The same without counting as a look. */
  stalledMs(): number {
    const gapMs = this.last === undefined ? 0 : this.now() - this.last;
    return gapMs > 3 * this.paceMs ? gapMs : 0;
  }
}
