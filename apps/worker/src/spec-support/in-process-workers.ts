import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openCacheStore, type CacheStore } from '#cache-store';
import { loadConfig, type ProcessConfig } from '#config';
import type { WorkBatch } from '#contexts/jobs';
import { membershipBoundary, type MembershipEvent } from '#contexts/membership';
import { KeyRing, namespaceBoundary, type NamespaceEvent } from '#contexts/namespace';
import type { BatchOutcome, WorkerPorts } from '#contexts/jobs/kinds';
import { workerJobKinds } from '#job-kinds/worker';
import type { Commit } from '#kernel';
import { S3TestServer } from '#testing';
import { pino } from 'pino';
import { BatchCheckpoints } from '../agent/batches/batch-checkpoints.js';
import { startHttpServer, type HttpServer } from '../http/http-server.js';
import { KnownHosts } from '#runtime';
import { CacheStores } from '../stores/cache-stores.js';
import { WorkerServices } from '../worker-services.js';

const logger = pino({ level: 'silent' });
const secret = { id: 'k1', key: Buffer.alloc(32, 7) };
export const root = 's3://bucket/';

/** A worker but for NATS: its cache, its services and its port. */
export class InProcessWorker {
  readonly throttled: number[] = [];
  /** Before bytes move. */
  onThrottle: () => void = () => undefined;

  constructor(
    readonly workerId: string,
    /** All copies by their keys. */
    readonly cache: CacheStore,
    readonly services: WorkerServices,
    readonly http: HttpServer,
    readonly directory: string,
  ) {}

  get address(): string {
    return `127.0.0.1:${this.http.port}`;
  }

  url(ufsPath: string, more = ''): string {
    return `http://${this.address}/v1/objects?path=${encodeURIComponent(ufsPath)}${more}`;
  }

  async ask<T>(target: string, body?: unknown): Promise<{ status: number; body: T }> {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`http://${this.address}${target}`, body === undefined ? {} : init);
    return { status: response.status, body: (await response.json()) as T };
  }

  /** Executes a batch as the agent would. */
  async execute(batch: Partial<WorkBatch> & Pick<WorkBatch, 'kind'>, abort = new AbortController()) {
    const { services, workerId } = this;
    const { cache } = services;
    setMaxListeners(0, abort.signal);
    const lease = services.pool.lease();
    const whole = { ...emptyBatch, ...batch };
    const ports: WorkerPorts = {
      workerId,
      cache,
      members: () => Promise.resolve(services.view.members()),
      checkpoint: (await BatchCheckpoints.open(path.join(this.directory, 'progress'))).of(whole.batchId),
      removeCopy: (one, sequence) => services.remover.remove(one, sequence),
      unmounted: services.unmounted,
      storeOf: (ufsPath) => services.view.storeOf(ufsPath),
      claimRoom: services.claims.forBatch(whole, workerJobKinds[whole.kind].moves?.(whole) ?? false, abort.signal),
      connectorFor: (ufsPath) => lease.connectorFor(ufsPath),
      withTransferSlot: (_signal, run) => run({ arrived: () => undefined }),
      withLargeObjectSlot: (_signal, run) => run(),
      withPartSlot: (_signal, run) => run(),
      isThrottled: () => false,
      throttle: (_jobId, bytes) => {
        this.onThrottle();
        this.throttled.push(bytes);
        return Promise.resolve();
      },
      retry: { attempts: 2, baseDelayMs: 1, maxDelayMs: 2 },
      signal: abort.signal,
      onProgress: () => undefined,
    };
    try {
      return await workerJobKinds[whole.kind].execute(whole, ports);
    } finally {
      await lease.release();
    }
  }

  rebalance(pass: 'main' | 'prune', jobId = 'rebalance-1'): Promise<BatchOutcome> {
    const options = { loadBatchSize: 7, loadBandwidth: 0, pruneBandwidth: 0, skipPrune: false };
    const batchId = `${jobId}-${pass}-${randomUUID()}`;
    return this.execute({ kind: 'rebalance', jobId, batchId, pass, options, files: [[this.workerId, -1, '']] });
  }

  async put(name: string, bytes: Buffer | string, { version = 'v1', replicas = 1 } = {}): Promise<void> {
    await this.services.cache.put({ path: root + name, version, replicas }, Buffer.from(bytes));
  }

  /** Whatever is mounted. */
  names(): string[] {
    return Array.from(this.cache.entries(''), (entry) => entry.path.slice(root.length));
  }

  async stopServing(): Promise<void> {
    await this.http.close();
  }

  async close(): Promise<void> {
    await this.http.close();
    await this.services.close();
    await this.cache.close();
  }
}

const emptyBatch: WorkBatch = {
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
  root: '',
  files: [],
};

/** Workers that talk to each other over HTTP and to one S3 endpoint; the log is played to them by the test. */
export class InProcessCluster {
  readonly workers: InProcessWorker[] = [];
  readonly s3 = new S3TestServer();
  private readonly keyRing = new KeyRing([secret]);
  private readonly log: Commit[] = [];
  private endpoint = '';
  /** The clock of the log. */
  nowMs = () => Date.now();

  private constructor(private readonly directory: string) {}

  static async open(): Promise<InProcessCluster> {
    const cluster = new InProcessCluster(await mkdtemp(path.join(tmpdir(), 'larder-workers-')));
    cluster.endpoint = (await cluster.s3.start()).endpoint;
    cluster.s3.createBucket('bucket');
    cluster.mount();
    return cluster;
  }

  /** The bucket at `/data/`. */
  mount(more: Record<string, string> = {}): void {
    this.namespace(this.mounted(more));
  }

  mounted(more: Record<string, string> = {}): NamespaceEvent {
    const { accessKeyId, secretAccessKey } = this.s3.credentials;
    const options = {
      's3a.accessKeyId': accessKeyId,
      's3a.secretKey': secretAccessKey,
      'alluxio.underfs.s3.endpoint': this.endpoint,
      'alluxio.underfs.s3.disable.dns.buckets': 'true',
      ...more,
    };
    const data = { path: '/data/', ufs: root, options: this.keyRing.sealOptions(root, options) };
    return { type: 'Mounted', data };
  }

  /** A worker that knows the log so far; it joins the cluster unless told otherwise. */
  async start({
    capacityBytes = 64 * 2 ** 20,
    joins = true,
    hasRead = true,
    settings = {},
  } = {}): Promise<InProcessWorker> {
    return this.open(`worker-${this.workers.length + 1}`, { capacityBytes, joins, hasRead, settings });
  }

  /** @param meanwhile what happens to its directory */
  async restart(
    worker: InProcessWorker,
    { capacityBytes = 64 * 2 ** 20, settings = {} } = {},
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ): Promise<InProcessWorker> {
    await worker.close();
    this.workers.splice(this.workers.indexOf(worker), 1);
    await meanwhile();
    return this.open(worker.workerId, { capacityBytes, joins: true, hasRead: true, settings });
  }

  private async open(
    workerId: string,
    {
      capacityBytes,
      joins,
      hasRead,
      settings,
    }: { capacityBytes: number; joins: boolean; hasRead: boolean; settings: Record<string, string> },
  ): Promise<InProcessWorker> {
    const directory = path.join(this.directory, workerId);
    const cache = await openCacheStore({ directory, capacityBytes });
    const required = { LARDER_NATS_URL: 'nats://127.0.0.1:1', LARDER_RETRY_BASE_MS: '1', LARDER_RETRY_MAX_MS: '5' };
    const key = { LARDER_SECRET_KEYS: `${secret.id}:${secret.key.toString('base64')}` };
    const config: ProcessConfig = loadConfig({ ...required, ...key, ...settings }, 'worker');
    const stores = await CacheStores.open(directory, logger);
    const services = new WorkerServices(config, workerId, { copies: cache, stores }, logger);
    for (const commit of this.log) services.view.evolve(commit);
    if (hasRead) await services.noteRead();
    services.policies.begin(() => undefined);
    const { view, passive, remover, clearStale, unmounted, quotaTrimmer } = services;
    const http = await startHttpServer({
      ...{
        host: '127.0.0.1',
        port: 0,
        cache: services.cache,
        unmounted,
        view,
        passive,
        remover,
        clearStale,
        quotaTrimmer,
        fileIndex: config.fileIndex,
      },
      ...{ readiness: () => ({}), logger, hosts: new KnownHosts({ listenHost: '127.0.0.1', hostnames: undefined }) },
    });
    const worker = new InProcessWorker(workerId, cache, services, http, directory);
    this.workers.push(worker);
    if (joins) this.join(worker);
    return worker;
  }

  join({ workerId, address }: InProcessWorker): void {
    const data = { workerId, address, bootId: workerId, capacityBytes: 1, version: '0' };
    this.membership({ type: 'WorkerJoined', data });
  }

  membership(event: MembershipEvent): void {
    this.append(membershipBoundary.name, event);
  }

  /** @param told who hears of it; the others only when they start */
  namespace(event: NamespaceEvent, told: readonly InProcessWorker[] = this.workers): void {
    this.append(namespaceBoundary.name, event, told);
  }

  /** GETs of one object's bytes that the S3 endpoint has answered or is answering. */
  gets(key: string): number {
    return this.s3.requests.filter((one) => one.method === 'GET' && one.key === key).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
    await this.s3.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  private append(
    boundary: string,
    event: MembershipEvent | NamespaceEvent,
    told: readonly InProcessWorker[] = this.workers,
  ): void {
    const at = new Date(this.nowMs()).toISOString();
    const commit = { boundary, sequence: this.log.length + 1, events: [{ ...event, at }] } as unknown as Commit;
    this.log.push(commit);
    for (const { services } of told) services.view.evolve(commit);
  }
}
