import type { CacheStore } from '#cache-store';
import type { ProcessConfig } from '#config';
import { KeyRing, MountKeys, tellClosed, type Mount } from '#contexts/namespace';
import { ConnectorPool } from '#contexts/namespace/ufs';
import { openUfs, type RetryPolicy } from '#ufs';
import type { Logger } from 'pino';
import { ClusterView } from './agent/log/cluster-view.js';
import { ClearStale } from './copies/clear-stale.js';
import { CopyRemover } from './copies/copy-remover.js';
import { PassiveCache } from './passive/passive-cache.js';
import { PolicyKeeper } from './policies/policy-keeper.js';
import { QuotaClaims } from './policies/quota-claims.js';
import { QuotaTrimmer } from './policies/quota-trimmer.js';
import type { CacheStores } from './stores/cache-stores.js';
import { ScopedCache } from './stores/scoped-cache.js';
import { UnmountedCopies } from './stores/unmounted-copies.js';
import { UnmountedExpiry } from './stores/unmounted-expiry.js';

/** A worker's cache directory, opened: its copies, and which stores they are of. */
export interface WorkerDisk {
  copies: CacheStore;
  stores: CacheStores;
}

/** What batches, readers and peers share: the view of the cluster, the connectors, and the parts built on these two. */
export class WorkerServices {
  /** What may be served: the copies that mounts cover. */
  readonly cache: CacheStore;
  readonly unmounted: UnmountedCopies;
  readonly view: ClusterView;
  readonly pool: ConnectorPool;
  readonly policies: PolicyKeeper;
  readonly claims: QuotaClaims;
  readonly passive: PassiveCache;
  readonly remover: CopyRemover;
  readonly clearStale: ClearStale;
  readonly quotaTrimmer: QuotaTrimmer;
  private readonly keys: MountKeys;
  private readonly unmountedExpiry: UnmountedExpiry;
  private tellKeys: (() => void) | undefined;

  constructor(
    config: ProcessConfig,
    workerId: string,
    private readonly disk: WorkerDisk,
    logger: Logger,
  ) {
    const { copies, stores } = disk;
    this.cache = new ScopedCache(copies, stores);
    this.unmounted = new UnmountedCopies(copies, stores);
    this.unmountedExpiry = new UnmountedExpiry(this.unmounted, stores, config.unmountedKeepMs, logger);
    const { cache } = this;
    const keyRing = new KeyRing(config.secretKeys);
    this.keys = new MountKeys(keyRing);
    this.policies = new PolicyKeeper(cache, config);
    this.claims = new QuotaClaims(workerId, cache, logger);
    let mounts: readonly Mount[] = [];
    this.view = new ClusterView(workerId, {
      namespaceChanged: (namespace, atMs) => {
        stores.follow(namespace.mounts, atMs);
        this.policies.follow(namespace);
        if (config.quota) this.claims.follow(namespace);
        if (namespace.mounts === mounts) return;
        mounts = namespace.mounts;
        this.tellKeys?.();
        this.pool
          .keepOnly(namespace.mounts)
          .catch((error: unknown) => logger.warn({ err: error }, 'a connector of a removed mount did not close'));
      },
    });
    this.pool = new ConnectorPool((ufsPath) => this.view.mountOf(ufsPath), connectorsOf(config, keyRing), {
      basePauseMs: config.retryBaseMs,
      maxPauseMs: config.retryMaxMs,
      maxOutageMs: config.ufsOutageMs,
    });
    // A reader waits: its requests go before prefetching, and do not retry for long.
    const retry: RetryPolicy = {
      attempts: config.maxAttempts,
      baseDelayMs: config.retryBaseMs,
      maxDelayMs: config.retryMaxMs,
      demand: true,
      maxStoreWaitMs: config.readWaitMs,
    };
    const { view, pool, claims } = this;
    this.passive = new PassiveCache({ cache, view, pool, claims, retry, logger });
    this.remover = new CopyRemover(cache, view);
    this.clearStale = new ClearStale(cache, view, logger);
    this.quotaTrimmer = new QuotaTrimmer(cache, logger);
  }

  /** Call this when the log has been read: from now on the operator is warned of mounts for which there is no key. */
  watchKeys(logger: Logger): void {
    const tell = tellClosed(({ path, keyId, sentence }) => logger.error({ mount: path, keyId }, sentence));
    this.tellKeys = () => tell(this.keys.look(this.view.namespace.mounts));
    this.tellKeys();
  }

  /**
   * The mounts that cannot be opened, one sentence each. `all`: there are sealed mounts, and none of them can be
   * opened.
   */
  closedMounts(): { sentences: readonly string[]; all: boolean } {
    const { closed, opensNone } = this.keys.look(this.view.namespace.mounts);
    return { sentences: closed.map(({ sentence }) => sentence), all: opensNone };
  }

  /** Everything that was in the log when this process began to read is included: from now on the mount table counts. */
  async noteRead(): Promise<void> {
    await this.disk.stores.adopt(this.disk.copies);
    this.view.noteRead();
    this.unmountedExpiry.start();
  }

  async close(): Promise<void> {
    this.policies.stop();
    await this.unmountedExpiry.stop();
    await this.disk.stores.close();
    await this.passive.stop();
    await this.clearStale.stop();
    await this.quotaTrimmer.stop();
    await this.pool.close();
  }
}

function connectorsOf(config: ProcessConfig, keyRing: KeyRing): (mount: Mount) => ReturnType<typeof openUfs> {
  const tuning = {
    idleTimeoutMs: config.ufsIdleTimeoutMs,
    connectTimeoutMs: config.ufsConnectTimeoutMs,
    maxConnections: config.ufsConnections,
    blockingReads: true,
  };
  return ({ ufs, options: sealed }) => openUfs({ ufs, options: keyRing.openOptions(sealed) }, tuning);
}
