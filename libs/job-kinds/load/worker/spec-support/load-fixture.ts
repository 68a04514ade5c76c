import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openCacheStore, type CacheStore } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerPorts } from '#contexts/jobs/kinds';
import { HashRing } from '#hash-ring';
import type { UfsConnector } from '#ufs';
import { loadWorkerKind } from '../index.js';

export interface FileToLoad {
  name: string;
  sizeBytes?: number;
  version?: string;
}

/** For specs: the load kind with a real cache in a temporary directory, and whatever connector a test gives it. */
export class LoadFixture {
  readonly abort = new AbortController();
  readonly throttled: { jobId: string; bytes: number }[] = [];
  readonly progress = { files: 0, bytes: 0 };
  connector!: UfsConnector;
  attempts = 3;
  isThrottled = false;

  private constructor(
    readonly directory: string,
    readonly cache: CacheStore,
    private readonly root: string,
  ) {
    setMaxListeners(0, this.abort.signal);
  }

  static async open(root: string, capacityBytes = 64 * 2 ** 20): Promise<LoadFixture> {
    const directory = await mkdtemp(path.join(tmpdir(), 'larder-load-'));
    return new LoadFixture(directory, await openCacheStore({ directory, capacityBytes }), root);
  }

  async close(): Promise<void> {
    await this.cache.close();
    await this.connector.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Files as the UFS lists them now. */
  async listed(): Promise<FileToLoad[]> {
    const { objects } = await this.connector.list(this.root);
    return objects.map(({ path: full, ...known }) => ({ name: full.slice(this.root.length), ...known }));
  }

  run(files: readonly FileToLoad[], changes: Partial<WorkBatch> = {}): Promise<BatchOutcome> {
    const batch: WorkBatch = {
      v: 2,
      jobId: 'job-1',
      kind: 'load',
      batchId: 'batch-1',
      pass: 'main',
      epoch: 1,
      attempt: 1,
      copy: 0,
      namespaceSequence: 1,
      options: {},
      root: this.root,
      files: files.map(({ name, sizeBytes = -1, version = '' }) => [name, sizeBytes, version]),
      ...changes,
    };
    return loadWorkerKind.execute(batch, this.ports());
  }

  /** What a reader would get; undefined where nothing is served. */
  async bytes(name: string): Promise<Buffer | undefined> {
    const stream = this.cache.read(this.root + name)?.stream();
    return stream && Buffer.concat((await stream.toArray()) as Buffer[]);
  }

  private ports(): WorkerPorts {
    return {
      workerId: 'worker-1',
      cache: this.cache,
      members: () => Promise.resolve({ sequence: 0, ring: new HashRing(['worker-1']), workers: {} }),
      removeCopy: (path) => this.cache.delete(path),
      checkpoint: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
      unmounted: this.cache,
      storeOf: () => 'file:',
      claimRoom: () => Promise.resolve({ release: () => undefined }),
      connectorFor: () => this.connector,
      withTransferSlot: (_signal, run) => run({ arrived: () => undefined }),
      withLargeObjectSlot: (_signal, run) => run(),
      withPartSlot: (_signal, run) => run(),
      isThrottled: () => this.isThrottled,
      throttle: (jobId, bytes) => {
        this.throttled.push({ jobId, bytes });
        return Promise.resolve();
      },
      retry: { attempts: this.attempts, baseDelayMs: 1, maxDelayMs: 5 },
      signal: this.abort.signal,
      onProgress: (files, bytes) => {
        this.progress.files += files;
        this.progress.bytes += bytes;
      },
    };
  }
}
