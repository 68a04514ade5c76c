export interface RollingRestartOptions {
  /** Stops a process and starts it again; settles when it is started. */
  readonly restart: (name: string) => Promise<void>;
  /** Settles when the process does its work. @throws when the signal is aborted */
  readonly untilReady: (name: string, signal: AbortSignal) => Promise<void>;
  /** Writes a line to the console. */
  readonly say: (line: string) => void;
  /** Aborted: the cluster ends. */
  readonly signal: AbortSignal;
  /** How long a process may take until the others of its kind are left as they are. Default 20 seconds. */
  readonly readyWithinMs?: number;
}

/** Restarts processes one after the other, each when the one before it is ready, so that others serve meanwhile. */
export class RollingRestart {
  private readonly waiting = new Set<string>();
  private current: { readonly name: string; readonly superseded: AbortController } | undefined;

  constructor(private readonly options: RollingRestartOptions) {}

  /** @param names of processes, `coordinator-1`. One that is on its way up is restarted once more. */
  request(names: readonly string[]): void {
    for (const name of names) this.waiting.add(name);
    if (!this.current) void this.restartWaiting();
    else if (names.includes(this.current.name)) this.current.superseded.abort();
  }

  private async restartWaiting(): Promise<void> {
    const { signal } = this.options;
    for (const name of this.waiting) {
      let superseded: AbortController;
      do {
        if (signal.aborted) return;
        this.waiting.delete(name);
        superseded = new AbortController();
        this.current = { name, superseded };
        await this.restart(name, superseded.signal);
      } while (superseded.signal.aborted);
    }
    this.current = undefined;
  }

  private async restart(name: string, superseded: AbortSignal): Promise<void> {
    const { restart, untilReady, say, signal, readyWithinMs = 20_000 } = this.options;
    const startedAt = performance.now();
    const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
    await restart(name);
    try {
      await untilReady(name, AbortSignal.any([signal, superseded, AbortSignal.timeout(readyWithinMs)]));
      say(`${name} runs the new code (after ${seconds()}).`);
    } catch {
      if (signal.aborted || superseded.aborted) return;
      const spared = [...this.waiting].filter((other) => kindOf(other) === kindOf(name));
      for (const other of spared) this.waiting.delete(other);
      const rest = spared.length > 0 ? ` ${spared.join(', ')} kept the code of before.` : '';
      say(`${name} is not ready after ${seconds()}: change its code again.${rest}`);
    }
  }
}

const kindOf = (name: string) => name.slice(0, name.lastIndexOf('-'));
