import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from '#async';
import { encodeWorkBatch, jobBoundary, type BatchSettledData, type JobEvent, type WorkBatch } from '#contexts/jobs';
import { workerHeartbeatSchema, type WorkerHeartbeat } from '#contexts/membership';
import { KeyRing, namespaceBoundary, type NamespaceEvent } from '#contexts/namespace';
import { allEvents, eventCatalogues } from '#contexts/catalogue';
import {
  Broadcasts,
  BroadcastSeal,
  connectNats,
  ensureStreams,
  EventCodec,
  EventStore,
  Names,
  WorkQueue,
  type NatsLink,
} from '#jetstream';
import type { DomainEvent } from '#kernel';
import { ownContext, Recorder } from '#runtime';
import { clusterKey, type TestCluster, type WorkerHandle } from '#testing';

/** Of workers, so that a test sees soon what they do. */
const workerSettings = {
  LARDER_CACHE_BYTES: '64MiB',
  LARDER_HEARTBEAT_MS: '100',
  LARDER_RETRY_BASE_MS: '1',
  LARDER_RETRY_MAX_MS: '10',
  LARDER_LOG_LEVEL: 'debug',
};

/** A cluster for it: neither coordinators nor workers that run, and each test begins with an empty log. */
export const withoutCoordinator = {
  coordinators: 0,
  workers: 0,
  env: workerSettings,
  clusterPer: 'test',
  processesMayEnd: true,
  testTimeoutMs: 60_000,
} as const;

/** What a coordinator would do, done by a test: streams, mounts, batches, and reading what workers report. */
export class StandInCoordinator {
  private readonly names = new Names();
  private readonly store: EventStore;
  private readonly recorder = new Recorder(allEvents);
  private readonly keyRing = new KeyRing([clusterKey]);
  private readonly queue: WorkQueue;
  private readonly seal = new BroadcastSeal([clusterKey]);
  /** Of workers that are started without another one. */
  readonly cacheDir: string;
  private namespaceSequence = 0;

  private constructor(
    private readonly cluster: TestCluster,
    readonly link: NatsLink,
  ) {
    this.queue = new WorkQueue(link, this.names);
    this.store = new EventStore(link, this.names, new EventCodec(Object.values(eventCatalogues)));
    this.cacheDir = path.join(cluster.directory, 'cache');
  }

  static async open(cluster: TestCluster): Promise<StandInCoordinator> {
    return new StandInCoordinator(cluster, await connectNats({ url: cluster.natsUrl, name: 'test' }));
  }

  ensureStreams(): Promise<void> {
    return ensureStreams(this.link, this.names);
  }

  close(): Promise<void> {
    return this.link.close();
  }

  lastSequence(boundary: string): Promise<number> {
    return this.store.lastSequence(boundary);
  }

  /** Without waiting until it is ready. It has the same cache as others unless the changes name another. */
  async launchWorker(changes: Record<string, string> = {}): Promise<WorkerHandle> {
    const worker = await this.cluster.prepareWorker();
    Object.assign(worker.process.overrides, { LARDER_CACHE_DIR: this.cacheDir, ...changes });
    worker.process.launch();
    return worker;
  }

  async startWorker(changes?: Record<string, string>): Promise<WorkerHandle> {
    const worker = await this.launchWorker(changes);
    await worker.process.untilReady();
    return worker;
  }

  async workerId(): Promise<string> {
    const text = await readFile(path.join(this.cacheDir, 'identity.json'), 'utf8');
    return (JSON.parse(text) as { workerId: string }).workerId;
  }

  async mount(ufs: string, options: Record<string, string> = {}): Promise<void> {
    const data = { path: '/data/', ufs, options: this.keyRing.sealOptions(ufs, options) };
    await this.namespaceEvent({ type: 'Mounted', data });
  }

  async unmount(ufs: string): Promise<void> {
    await this.namespaceEvent({ type: 'Unmounted', data: { path: '/data/', ufs } });
  }

  jobEvent(jobId: string, event: JobEvent): Promise<number> {
    return this.append(jobBoundary.of(jobId), event);
  }

  /** @param to default: the worker on the default cache directory */
  async send(batch: Partial<WorkBatch> & Pick<WorkBatch, 'root' | 'files'>, to?: string): Promise<void> {
    const whole: WorkBatch = {
      v: 2,
      jobId: 'job-1',
      kind: 'load',
      batchId: 'batch-1',
      pass: 'main',
      epoch: 1,
      attempt: 1,
      copy: 0,
      namespaceSequence: this.namespaceSequence,
      options: {},
      ...batch,
    };
    const { jobId, batchId, attempt } = whole;
    await this.queue.publish(to ?? (await this.workerId()), jobId, batchId, attempt, encodeWorkBatch(whole));
  }

  /** What workers have reported for a job so far. */
  async settled(jobId = 'job-1'): Promise<BatchSettledData[]> {
    const facts: BatchSettledData[] = [];
    for await (const commit of this.store.readBoundary(`batch.${jobId}.*`)) {
      facts.push(...commit.events.map((event) => event.data as BatchSettledData));
    }
    return facts;
  }

  /** Waits for that many reports. */
  async untilSettled(count: number, jobId?: string): Promise<BatchSettledData[]> {
    return until(async () => {
      const facts = await this.settled(jobId);
      return facts.length >= count ? facts : undefined;
    });
  }

  /** Waits until the worker's queue holds nothing that is undelivered or unacknowledged. */
  async untilAcked(): Promise<void> {
    const workerId = await this.workerId();
    await until(async () => {
      const info = await this.link.jsm.consumers.info(this.names.workStream, this.names.workerConsumer(workerId));
      return info.num_pending === 0 && info.num_ack_pending === 0 ? true : undefined;
    });
  }

  /** Answers what workers ask of coordinators. */
  answer(verb: string, answer: (value: unknown) => unknown): void {
    new Broadcasts(this.link, this.seal).respond(this.names.coordinatorsControl(verb), answer);
  }

  /** As a coordinator does that hears of it. */
  async join({ workerId, address, bootId }: WorkerHeartbeat): Promise<void> {
    const data = { workerId, address, bootId, capacityBytes: 1, version: '0' };
    await this.append('membership', { type: 'WorkerJoined', data });
  }

  hearHeartbeats(): WorkerHeartbeat[] {
    const heard: WorkerHeartbeat[] = [];
    new Broadcasts(this.link, this.seal).subscribe(this.names.workerHeartbeats, (value) => {
      heard.push(workerHeartbeatSchema.parse(value));
    });
    return heard;
  }

  async namespaceEvent(event: NamespaceEvent): Promise<void> {
    this.namespaceSequence = await this.append(namespaceBoundary.name, event);
  }

  async append(boundary: string, event: DomainEvent): Promise<number> {
    const expected = await this.store.lastSequence(boundary);
    const { sequence } = await this.store.append(boundary, expected, this.recorder.record([event], ownContext('test')));
    return sequence;
  }
}
