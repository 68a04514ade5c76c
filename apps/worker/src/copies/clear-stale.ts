import { setImmediate } from 'node:timers/promises';
import type { CacheEntry, CacheStore } from '#cache-store';
import type { Logger } from 'pino';
import type { ClusterView } from '../agent/log/cluster-view.js';

export interface ClearStaleStatus {
  running: boolean;
  /** Of the current run, or the last one. */
  checkedFiles: number;
  clearedFiles: number;
  clearedBytes: number;
}

const pageSize = 500;

/** Removes, in the background, the copies that the ring does not give to this worker. */
export class ClearStale {
  private run: { abort: AbortController; done: Promise<void> } | undefined;
  private counts = { checkedFiles: 0, clearedFiles: 0, clearedBytes: 0 };

  constructor(
    private readonly cache: CacheStore,
    private readonly view: ClusterView,
    private readonly logger: Logger,
  ) {}

  /** Begins, unless a run is under way. */
  start(): void {
    if (this.run) return;
    const abort = new AbortController();
    this.counts = { checkedFiles: 0, clearedFiles: 0, clearedBytes: 0 };
    const done = this.clear(abort.signal)
      .catch((error: unknown) => this.logger.error({ err: error }, 'clearing stale copies failed'))
      .finally(() => (this.run = undefined));
    this.run = { abort, done };
  }

  /** Resolves when the run has ended: after the few copies that are being removed at the moment. */
  async stop(): Promise<void> {
    this.run?.abort.abort();
    await this.run?.done;
  }

  status(): ClearStaleStatus {
    return { running: this.run !== undefined, ...this.counts };
  }

  private async clear(signal: AbortSignal): Promise<void> {
    for (let after: string | undefined; !signal.aborted;) {
      const page = [...this.cache.entries('', { limit: pageSize, ...(after !== undefined && { after }) })];
      if (page.length === 0) break;
      after = page.at(-1)?.path;
      const stale = page.filter((entry) => this.isStale(entry));
      const cleared = await Promise.all(stale.map(({ path }) => this.cache.delete(path)));
      this.counts.checkedFiles += page.length;
      stale.forEach(({ sizeBytes, metadataOnly }, i) => {
        if (!cleared[i]) return;
        this.counts.clearedFiles++;
        this.counts.clearedBytes += metadataOnly ? 0 : sizeBytes;
      });
      await setImmediate();
    }
    this.logger.info({ stopped: signal.aborted, ...this.counts }, 'stale copies cleared');
  }

  /** While this worker is off the ring, or the log has not told the members yet, a copy's right place is unknown. */
  private isStale({ path, replicas }: CacheEntry): boolean {
    const { ring } = this.view.members();
    return ring.members.includes(this.view.workerId) && !ring.owners(path, replicas).includes(this.view.workerId);
  }
}
