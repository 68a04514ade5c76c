import type { CacheStore } from '#cache-store';
import type { Logger } from 'pino';

/** A quota's directory by its UFS path, and what it may hold here. Without `maxBytes` it is only measured. */
export interface QuotaShare {
  ufsPath: string;
  maxBytes?: number;
}

/** What a quota's directory holds here. `busy`: it is being trimmed, so less in a moment. */
export interface QuotaHolding {
  bytes: number;
  busy: boolean;
}

/** Evicts what is held below a quota beyond this worker's share of it, in the background. */
export class QuotaTrimmer {
  private readonly running = new Map<string, Promise<void>>();

  constructor(
    private readonly cache: CacheStore,
    private readonly logger: Logger,
  ) {}

  /** Begins to trim the quotas that have a `maxBytes` and are not being trimmed already. */
  look(quotas: readonly QuotaShare[]): QuotaHolding[] {
    return quotas.map(({ ufsPath, maxBytes }) => {
      if (maxBytes !== undefined && !this.running.has(ufsPath)) this.begin(ufsPath, maxBytes);
      return { bytes: this.cache.usage(ufsPath).bytes, busy: this.running.has(ufsPath) };
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.running.values());
  }

  private begin(ufsPath: string, maxBytes: number): void {
    const before = this.cache.usage(ufsPath).bytes;
    const done = this.cache
      .trim(ufsPath, maxBytes)
      .then(() => {
        const { bytes } = this.cache.usage(ufsPath);
        if (bytes < before) this.logger.info({ ufsPath, maxBytes, before, bytes }, 'evicted down to a quota');
      })
      .catch((error: unknown) => this.logger.warn({ err: error, ufsPath }, 'evicting down to a quota failed'))
      .finally(() => this.running.delete(ufsPath));
    this.running.set(ufsPath, done);
  }
}
