import type { CacheStore } from '#cache-store';
import type { Mount } from '#contexts/namespace';
import type { ConnectorPool } from '#contexts/namespace/ufs';
import { RetriesExhausted, UfsError, type RetryPolicy, type UfsObject } from '#ufs';
import type { Logger } from 'pino';
import type { ClusterView } from '../agent/log/cluster-view.js';
import type { RoomClaim } from '#contexts/jobs/kinds';
import type { QuotaClaims } from '../policies/quota-claims.js';
import { Download, type DownloadReader } from './download.js';

export interface PassiveCacheOptions {
  cache: CacheStore;
  view: ClusterView;
  pool: ConnectorPool;
  claims: QuotaClaims;
  retry: RetryPolicy;
  logger: Logger;
}

/** Fetches objects that readers ask for and this worker lacks: one download per object for any number of readers. */
export class PassiveCache {
  private readonly downloads = new Map<string, { download: Download; mount: Mount | undefined }>();
  private readonly stopping = new AbortController();

  constructor(private readonly options: PassiveCacheOptions) {}

  /** `host:port` of a worker to ask for a missing object instead: an owner that is online. */
  betterWorker(path: string): string | undefined {
    const { view } = this.options;
    const { ring, workers } = view.members();
    // An object that was never loaded has no known number of replicas.
    const [owner] = ring.owners(path);
    if (owner === undefined || owner === view.workerId) return undefined;
    return workers[owner]?.status === 'online' ? workers[owner].address : undefined;
  }

  /** Size and version as the UFS has them now. @throws UfsError */
  async stat(path: string): Promise<UfsObject> {
    const lease = this.options.pool.lease();
    try {
      return await lease.connectorFor(path).stat(path, this.stopping.signal);
    } finally {
      await lease.release();
    }
  }

  /**
   * Joins the download of a missing object: the running one, or a new one. The reader must be streamed or left.
   * @throws UfsError
   */
  async open(path: string): Promise<{ object: UfsObject; reader: DownloadReader }> {
    const current = this.downloads.get(path);
    // A download for a removed mount is not joined: another store may be mounted there now.
    const joins = current && current.mount === this.options.view.mountOf(path);
    const download = joins ? current.download : this.begin(path);
    const reader = download.join();
    try {
      return { object: await download.opened, reader };
    } catch (error) {
      reader.leave();
      throw error instanceof RetriesExhausted ? error.cause : error;
    }
  }

  /** Breaks off the running downloads. */
  async stop(): Promise<void> {
    this.stopping.abort(new UfsError('Aborted', '', 'the worker stops'));
    await Promise.all([...this.downloads.values()].map(({ download }) => download.ended));
  }

  private begin(path: string): Download {
    const { pool, cache, retry, claims, logger, view } = this.options;
    const { signal } = this.stopping;
    const lease = pool.lease();
    const connector = lease.connectorFor(path);
    const mount = view.mountOf(path);
    const store = view.storeOf(path);
    // A worker that serves an object of another owner (for a reader that refuses redirects) does not keep it.
    const keeps = this.betterWorker(path) === undefined;
    let room: RoomClaim | undefined;
    const mayKeep = async ({ sizeBytes }: UfsObject) => {
      room = keeps ? await claims.forReader(path, sizeBytes) : undefined;
      return room !== undefined;
    };
    const isStillMounted = () => view.mountOf(path) === mount;
    const download = new Download(path, { cache, connector, store, retry, mayKeep, isStillMounted, logger, signal });
    const entry = { download, mount };
    this.downloads.set(path, entry);
    download.ended
      .finally(() => room?.release())
      .finally(() => this.downloads.get(path) === entry && this.downloads.delete(path))
      .then(() => lease.release())
      .catch((error: unknown) => logger.warn({ err: error, path }, 'a connector did not close'));
    return download;
  }
}
