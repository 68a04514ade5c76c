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
    const deafMs = this.now() - this.suspendedSince;
    for (const [id, at] of this.heard) this.heard.set(id, at + deafMs);
    this.suspendedSince = undefined;
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
