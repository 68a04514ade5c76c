import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
import { projectRoot } from '#testing';

const script = path.join(projectRoot(), 'dist/bin/worker.js');

/** A worker process of a test. */
export class TestWorker {
  private output = '';
  readonly exited: Promise<number | null>;

  private constructor(private readonly child: ChildProcess) {
    const collect = (chunk: Buffer) => void (this.output += chunk.toString());
    child.stdout!.on('data', collect);
    child.stderr!.on('data', collect);
    this.exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  static start(env: Record<string, string>): TestWorker {
    if (!existsSync(script)) throw new Error(`${script} is missing: run npm run build`);
    return new TestWorker(spawn(process.execPath, [script], { env: { PATH: process.env.PATH, ...env } }));
  }

  /** Everything it has written so far. */
  get written(): string {
    return this.output;
  }

  /** The `address` of its ready line. */
  async ready(): Promise<string> {
    const line = await until(() => this.output.split('\n').find((one) => one.includes('"worker ready"')));
    return (JSON.parse(line) as { address: string }).address;
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.exited;
  }
}

/** What a coordinator would do, done by a test: streams, mounts, batches, and reading what workers report. */
export class TestCluster {
  readonly secretKey = { id: 'k1', key: randomBytes(32) };
  private readonly workers: TestWorker[] = [];
  private readonly recorder = new Recorder(allEvents);
  private readonly keyRing = new KeyRing([this.secretKey]);
  private readonly queue: WorkQueue;
  private readonly seal = new BroadcastSeal([this.secretKey]);
  private namespaceSequence = 0;

  private constructor(
    readonly names: Names,
    readonly link: NatsLink,
    readonly store: EventStore,
    readonly directory: string,
    private readonly natsUrl: string,
  ) {
    this.queue = new WorkQueue(link, names);
  }

  static async open(natsUrl: string): Promise<TestCluster> {
    const names = new Names(`t${randomUUID().slice(0, 8)}`);
    const link = await connectNats({ url: natsUrl, name: 'test' });
    const store = new EventStore(link, names, new EventCodec(Object.values(eventCatalogues)));
    const directory = await mkdtemp(path.join(tmpdir(), 'larder-worker-'));
    return new TestCluster(names, link, store, directory, natsUrl);
  }

  ensureStreams(): Promise<void> {
    return ensureStreams(this.link, this.names);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill('SIGKILL')));
    await this.link.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  startWorker(changes: Record<string, string> = {}): TestWorker {
    const worker = TestWorker.start({
      LARDER_NATS_URL: this.natsUrl,
      LARDER_CLUSTER: this.names.cluster,
      LARDER_SECRET_KEYS: `${this.secretKey.id}:${this.secretKey.key.toString('base64')}`,
      LARDER_CACHE_DIR: path.join(this.directory, 'cache'),
      LARDER_CACHE_BYTES: '64MiB',
      LARDER_WORKER_PORT: '0',
      LARDER_HEARTBEAT_MS: '100',
      LARDER_RETRY_BASE_MS: '1',
      LARDER_RETRY_MAX_MS: '10',
      LARDER_LOG_LEVEL: 'debug',
      ...changes,
    });
    this.workers.push(worker);
    return worker;
  }

  async workerId(): Promise<string> {
    const text = await readFile(path.join(this.directory, 'cache', 'identity.json'), 'utf8');
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
