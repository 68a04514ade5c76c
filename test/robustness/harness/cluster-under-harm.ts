import { join } from 'node:path';
import {
  type CoordinatorHandle,
  eventually,
  type FaultHook,
  type ManagedProcess,
  type MemberHandle,
  Random,
  s3MountOptions,
  S3TestServer,
  startCluster,
  TcpProxy,
  type TestCluster,
  type TestNatsCluster,
  type WorkerHandle,
} from '#testing';
import type { History } from './history.js';
import { LargeObjects } from './large-objects.js';
import { Stranger } from './stranger.js';
import { SmallDisk } from './small-disk.js';
import { makeSources, type Sources } from './sources.js';
import { WideListings } from './wide-listings.js';

/** No log and no answer may contain this. */
export const secretCanary = 'canary-4f9b1c7e-secret';
const credentials = { accessKeyId: 'larder-robustness', secretAccessKey: secretCanary };
const members = 3;
const restartPauseMs = 500;
/** Few, so that listings have many pages. */
const maxKeysPerPage = 200;

/** Short, so that much happens in little time. The durations of faults are shorter and longer than these limits. */
const settings = {
  // A mount checks its store, as in production.
  LARDER_MOUNT_CHECK_MS: '2000',
  LARDER_CACHE_BYTES: '200MiB',
  LARDER_HEARTBEAT_MS: '500',
  LARDER_WORKER_TIMEOUT_MS: '3000',
  LARDER_WORKER_GRACE_MS: '3000',
  LARDER_OWNER_TIMEOUT_MS: '750',
  LARDER_UFS_IDLE_TIMEOUT_MS: '3000',
  LARDER_UFS_CONNECT_TIMEOUT_MS: '2000',
  LARDER_RETRY_MAX_MS: '2000',
  LARDER_BATCH_SIZE: '20',
  LARDER_SNAPSHOT_EVERY: '200',
  // Coordinators drain, as they do in production.
  LARDER_DRAIN_MS: '2000',
};

/** The surroundings of the cluster, which faults can hit as well. */
interface Surroundings {
  readonly s3: S3TestServer;
  /** The proxy before S3, for all processes. */
  readonly toS3: TcpProxy;
  readonly large: LargeObjects;
  readonly sources: Sources;
  /** The disk of the last worker. Undefined if mounting is not permitted. */
  readonly smallDisk: SmallDisk | undefined;
}

/**
 * Three nats-servers, three coordinators and three workers with a proxy in every link. The harness adds sources on an S3
 * endpoint behind a proxy, a small disk, a stranger, and a supervisor that restarts processes that have ended.
 */
export class ClusterUnderHarm {
  /** The current faults of S3. Each request meets the first fault that concerns it. */
  private readonly s3Faults = new Set<FaultHook>();
  /** Number of reads of each object from S3, by UFS path. */
  readonly s3Reads = new Map<string, number>();
  /** Has NATS' passwords, but no key of the cluster. */
  readonly stranger: Stranger;

  private constructor(
    private readonly cluster: TestCluster,
    private readonly around: Surroundings,
    private readonly history: History,
  ) {
    this.stranger = new Stranger(() => this.nats.addresses);
    this.nats.onCrash = (error) => history.accident(error.message);
    for (const { process } of this.members) process.onCrash = (error) => this.ended(process, error);
    around.s3.fault = (asked) => {
      const path = `s3://${asked.bucket}/${asked.key}`;
      // A probe of a failing store reads the first byte of its last object. It belongs to no job.
      const isDoubt = asked.headers.range === 'bytes=0-0';
      const isFirst = asked.headers.range === undefined || asked.headers.range.startsWith('bytes=0-');
      if (asked.operation === 'GetObject' && isFirst && !isDoubt)
        this.s3Reads.set(path, (this.s3Reads.get(path) ?? 0) + 1);
      for (const fault of this.s3Faults) {
        const found = fault(asked);
        if (found !== undefined) return found;
      }
      return undefined;
    };
  }

  /** @param directory contains all files of the processes. It is not removed */
  static async start(directory: string, history: History, random: Random): Promise<ClusterUnderHarm> {
    const next = () => random.next();
    const seed = random.below(1_000_000);
    const s3 = new S3TestServer({ credentials, maxKeysPerPage });
    // Random numbers of their own: the other sources and all faults stay those of the seed.
    const large = new LargeObjects(s3, new Random(seed + 1));
    const wide = new WideListings(s3, seed);
    const sources = makeSources(join(directory, 'sources'), seed, { large, wide });
    for (const [bucket, bucketDirectory] of Object.entries(sources.buckets)) s3.serveDirectory(bucket, bucketDirectory);
    const { endpoint } = await s3.start();
    const toS3 = await TcpProxy.start({ target: new URL(endpoint).host, random: next });
    const around = { s3, toS3, large, sources, smallDisk: SmallDisk.mount(join(directory, `worker-${members}`)) };
    try {
      const size = { coordinators: members, workers: members, natsServers: 3 } as const;
      const cluster = await startCluster({ ...size, directory, proxies: { random: next }, env: settings });
      return new ClusterUnderHarm(cluster, around, history);
    } catch (error) {
      await stop(around);
      throw error;
    }
  }

  get directory(): string {
    return this.cluster.directory;
  }

  get coordinators(): readonly CoordinatorHandle[] {
    return this.cluster.coordinators;
  }

  get workers(): readonly WorkerHandle[] {
    return this.cluster.workers;
  }

  get members(): readonly MemberHandle[] {
    return [...this.coordinators, ...this.workers];
  }

  get nats(): TestNatsCluster {
    return this.cluster.natsCluster;
  }

  get toS3(): TcpProxy {
    return this.around.toS3;
  }

  get large(): LargeObjects {
    return this.around.large;
  }

  get sources(): Sources {
    return this.around.sources;
  }

  get smallDisk(): SmallDisk | undefined {
    return this.around.smallDisk;
  }

  /** Mount options of the buckets. */
  get s3Options(): Record<string, string> {
    return s3MountOptions(`http://${this.toS3.address}`, credentials);
  }

  get logFiles(): string[] {
    return [
      ...this.members.map(({ process }) => process.spec.logFile),
      ...this.nats.nodes.map(({ logFile }) => logFile),
    ];
  }

  /** @returns ends the fault */
  harmS3(fault: FaultHook): () => void {
    // A function of its own: the same fault may be there twice.
    const own: FaultHook = (asked) => fault(asked);
    this.s3Faults.add(own);
    return () => void this.s3Faults.delete(own);
  }

  /** Ends every fault: links pass, S3 answers, the disk has room, and paused or ended processes run again. */
  async heal(): Promise<void> {
    this.cluster.passAll();
    this.toS3.setMode({ kind: 'pass' });
    this.s3Faults.clear();
    this.smallDisk?.makeRoom();
    for (const node of this.nats.nodes) node.resume();
    for (const { process } of this.members) process.resume();
    await this.nats.startAll();
    for (const { process } of this.members) if (!process.running) process.launch();
  }

  /** Waits until each coordinator is ready and counts all workers ONLINE. */
  async untilWell(timeoutMs = 60_000): Promise<void> {
    const well = async ({ api }: CoordinatorHandle) => {
      if (!(await api.isReady())) return false;
      const nodes = await api.nodes().catch(() => []);
      return nodes.filter(({ status }) => status === 'ONLINE').length === members;
    };
    for (const one of this.coordinators) {
      const what = `${one.process.name} is ready and counts ${members} workers ONLINE`;
      await eventually(what, () => well(one), { timeoutMs });
    }
  }

  async dispose(): Promise<void> {
    for (const { process } of this.members) process.onCrash = undefined;
    await this.cluster.dispose();
    await stop(this.around);
  }

  /** Acts as a supervisor: restarts a process that could not start without the log. Any other end is an accident. */
  private ended(process: ManagedProcess, error: Error): void {
    if (/"msg":"(?:worker|coordinator) ready"/.test(process.log())) {
      this.history.accident(`${error.message}\n${process.logTail(5)}`);
    }
    setTimeout(() => {
      if (process.onCrash !== undefined && !process.running) process.launch();
    }, restartPauseMs).unref();
  }
}

async function stop({ s3, toS3, smallDisk }: Surroundings): Promise<void> {
  await toS3.stop();
  await s3.stop();
  smallDisk?.unmount();
}
