import { type ManagedProcess, natsUrlFor, TcpProxy, type TestCluster } from '#testing';

/** The network between NATS and every process of a cluster, one proxy for each, so that each can be cut off alone. */
export class BehindProxies {
  private constructor(private readonly proxies: ReadonlyMap<ManagedProcess, TcpProxy>) {}

  /** Restarts every process, so that from now on it reaches NATS through its proxy. The cluster has one nats-server. */
  static async put(cluster: TestCluster): Promise<BehindProxies> {
    const proxies = new Map<ManagedProcess, TcpProxy>();
    for (const [role, process] of membersOf(cluster)) {
      const proxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}`, random: () => 0.5 });
      process.overrides['LARDER_NATS_URL'] = natsUrlFor(role, proxy.address);
      proxies.set(process, proxy);
    }
    await Promise.all(cluster.processes.map((process) => process.restart()));
    for (const worker of cluster.workers) await cluster.untilListed(worker);
    return new BehindProxies(proxies);
  }

  of(process: ManagedProcess): TcpProxy {
    return this.proxies.get(process)!;
  }

  heal(): void {
    for (const proxy of this.proxies.values()) proxy.setMode({ kind: 'pass' });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.stop()));
  }
}

function membersOf({ coordinators, workers }: TestCluster): ['coordinator' | 'worker', ManagedProcess][] {
  return [
    ...coordinators.map(({ process }): ['coordinator', ManagedProcess] => ['coordinator', process]),
    ...workers.map(({ process }): ['worker', ManagedProcess] => ['worker', process]),
  ];
}
