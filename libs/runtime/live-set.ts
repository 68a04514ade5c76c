/**
 * Who was heard of lately, on this process's own monotonic clock: wall clocks of other machines, and jumps of our
 * own, do not matter. While this process itself hears nothing (`suspend`), nobody is judged.
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

  /** From now on silence says nothing: our own connection is down. */
  suspend(): void {
    this.suspendedSince ??= this.now();
  }

  /** Everyone gets the time back that passed while we were deaf. */
  resume(): void {
    if (this.suspendedSince === undefined) return;
    this.forgive(this.now() - this.suspendedSince);
    this.suspendedSince = undefined;
  }

  /** Nobody could be heard for so long, because this process itself stood still. */
  forgive(deafMs: number): void {
    for (const [id, at] of this.heard) this.heard.set(id, at + deafMs);
  }

  isLive(id: string): boolean {
    const silence = this.silenceMs(id);
    return silence !== undefined && silence <= this.timeoutMs;
  }

  /** How long nothing was heard; undefined for someone never heard. Stands still while suspended. */
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
 * Tells a process that it stood still (frozen, swapped out, blocked): the time between two looks that should come at a
 * regular pace. What others sent meanwhile is still unread, so their silence says nothing.
 */
export class StallWatch {
  private last: number | undefined;

  /** @param paceMs how often `look` is called by a process that runs */
  constructor(
    private readonly paceMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How long the process stood still since the last look; 0 when it did not. */
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
