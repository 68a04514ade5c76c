import { join } from 'node:path';
import { natsUrlFor, projectRoot } from '../nats/index.js';
import { freePorts, TcpProxy } from '../net/index.js';
import { ApiClient } from './api-client.js';
import { ManagedProcess, type ProcessSpec } from './managed-process.js';
import { readyAddress, readyLine, workerIdIn } from './ready-line.js';

export interface MemberHandle {
  readonly process: ManagedProcess;
  /** A proxy before each nats-server; none unless the cluster has proxies. */
  readonly toNats: readonly TcpProxy[];
}

export interface CoordinatorHandle extends MemberHandle {
  /** The `owner` of its jobs; another one in each life. */
  readonly id: string;
  readonly api: ApiClient;
}

export interface WorkerHandle extends MemberHandle {
  readonly cacheDir: string;
  /** Kept over restarts. */
  readonly id: string;
  /** `host:port` of the read path of its present life, for everybody: that of `inbound` where there is one. */
  readonly address: string;
  /** The proxy before its read path; its `target` is where the worker listens. */
  readonly inbound?: TcpProxy;
}

/** The key of every cluster of tests; it guards nothing. */
export const clusterKey = { id: 'test', key: Buffer.alloc(32, 7) };
/** The setting that gives it to a process. */
export const clusterKeys = { LARDER_SECRET_KEYS: `${clusterKey.id}:${clusterKey.key.toString('base64')}` };

export interface MemberOptions {
  /** Below it everything is written. */
  readonly directory: string;
  /** `host:port` of each nats-server. */
  readonly natsAddresses: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly node?: string;
  /** Default: this one. */
  readonly project?: string;
  readonly proxies?: { readonly random?: () => number };
}

/** Makes the processes of a cluster, which it does not start, and the proxies in their links. */
export class ClusterMembers {
  readonly coordinators: CoordinatorHandle[] = [];
  readonly workers: WorkerHandle[] = [];

  constructor(private readonly options: MemberOptions) {}

  get proxies(): TcpProxy[] {
    const inbound = this.workers.flatMap((worker) => worker.inbound ?? []);
    return [...this.coordinators, ...this.workers].flatMap(({ toNats }) => toNats).concat(inbound);
  }

  async addCoordinator(port: number): Promise<CoordinatorHandle> {
    const api = new ApiClient(`http://127.0.0.1:${port}`);
    const name = `coordinator-${this.coordinators.length + 1}`;
    const env = { LARDER_PORT: String(port) };
    const { process, toNats } = await this.member(name, 'coordinator', env, () => api.isReady());
    const coordinator: CoordinatorHandle = {
      process,
      toNats,
      api,
      get id() {
        return readyLine<{ coordinatorId: string }>(process)?.coordinatorId ?? '';
      },
    };
    this.coordinators.push(coordinator);
    return coordinator;
  }

  /** @param port where it listens behind its proxy; only a cluster with proxies uses it */
  async addWorker(port?: number): Promise<WorkerHandle> {
    const name = `worker-${this.workers.length + 1}`;
    const cacheDir = join(this.options.directory, name);
    const inbound = await this.inboundProxy(port);
    const env = { LARDER_CACHE_DIR: cacheDir, ...placeOf(inbound) };
    const isReady = (self: ManagedProcess) => readyAddress(self) !== undefined;
    const { process, toNats } = await this.member(name, 'worker', env, isReady);
    let known: { pid?: number; address: string } = { address: '' };
    const worker: WorkerHandle = {
      process,
      toNats,
      cacheDir,
      inbound,
      get id() {
        return workerIdIn(cacheDir);
      },
      get address() {
        if (known.pid === process.pid && known.address !== '') return known.address;
        const address = readyAddress(process);
        if (address === undefined) throw new Error(`${process.name} is not ready`);
        known = { pid: process.pid, address };
        return address;
      },
    };
    this.workers.push(worker);
    return worker;
  }

  private async inboundProxy(port?: number): Promise<TcpProxy | undefined> {
    if (this.options.proxies === undefined) return undefined;
    const [free] = port === undefined ? await freePorts(1) : [port];
    return TcpProxy.start({ target: `127.0.0.1:${free}`, random: this.options.proxies.random });
  }

  private async member(
    name: string,
    app: 'coordinator' | 'worker',
    env: Record<string, string>,
    isReady: ProcessSpec['isReady'],
  ): Promise<MemberHandle> {
    const { directory, natsAddresses, node, project, proxies } = this.options;
    const start = (target: string) => TcpProxy.start({ target, random: proxies?.random });
    const toNats = proxies === undefined ? [] : await Promise.all(natsAddresses.map(start));
    const addresses = proxies === undefined ? natsAddresses : toNats.map(({ address }) => address);
    const process = new ManagedProcess({
      name,
      node,
      script: join(project ?? projectRoot(), `dist/bin/${app}.js`),
      env: { LARDER_NATS_URL: natsUrlFor(app, addresses.join(',')), ...clusterKeys, ...this.options.env, ...env },
      logFile: join(directory, 'logs', `${name}.log`),
      isReady,
    });
    return { process, toNats };
  }
}

/** Where a worker listens, and where others reach it. */
function placeOf(inbound: TcpProxy | undefined): Record<string, string> {
  if (inbound === undefined) return { LARDER_WORKER_PORT: '0' };
  return { LARDER_WORKER_PORT: inbound.target!.split(':')[1], LARDER_WORKER_ADVERTISE: inbound.address };
}
