export interface RollingRestartOptions {
  /** Stops a process and starts it again. Resolves when it is started. */
  readonly restart: (name: string) => Promise<void>;
  /** Resolves when the process is ready. @throws when the signal is aborted */
  readonly untilReady: (name: string, signal: AbortSignal) => Promise<void>;
  /** Writes a line to the console. */
  readonly say: (line: string) => void;
  /** Aborted when the cluster ends. */
  readonly signal: AbortSignal;
  /** How long a process may take to be ready. After that, others of its kind are not restarted. Default 20 seconds. */
  readonly readyWithinMs?: number;
}

/** Restarts processes one after the other. Each waits until the one before it is ready, so that others always serve. */
export class RollingRestart {
  private readonly waiting = new Set<string>();
  private current: { readonly name: string; readonly superseded: AbortController } | undefined;

  constructor(private readonly options: RollingRestartOptions) {}

  /** @param names of processes, such as `coordinator-1`. A process that is just starting is restarted once more. */
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
      const rest = spared.length > 0 ? ` ${spared.join(', ')} still run the old code.` : '';
      say(`${name} is not ready after ${seconds()}: change its code again.${rest}`);
    }
  }
}

const kindOf = (name: string) => name.slice(0, name.lastIndexOf('-'));
