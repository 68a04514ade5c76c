import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compareVersions, type NatsServerProcess, startNatsServer, untilServersMeet } from '#nats-server';
import { freePorts, natsServerBinary, TcpProxy, testWalls } from '#testing';

/** Nobody listens there: what servers tell each other about their addresses leads nowhere, past no proxy. */
const nowhere = '127.0.0.1:1';
const count = 3;

/** Whether this machine has a server on which three replicas of the log are not refused. */
export const canReplicate = (): boolean => compareVersions(natsServerBinary().version, '2.10.23') >= 0;

/** Three nats-servers, each route between two of them through a proxy. */
export class NatsServers {
  private constructor(
    private readonly directory: string,
    private readonly ports: readonly number[],
    private readonly routePorts: readonly number[],
    /** By the one that connects, then by the one it connects to. */
    private readonly routes: ReadonlyMap<string, TcpProxy>,
  ) {}

  /** Of this cluster alone: another run's servers on this machine may come to listen where one of these did. */
  private readonly clusterName = `robustness-${randomUUID()}`;
  private readonly stopping = new AbortController();
  private readonly processes: (NatsServerProcess | undefined)[] = [];
  private readonly starting = new Map<number, Promise<void>>();
  /** Told when one ends although nobody asked for that. */
  onCrash: (error: Error) => void = () => undefined;

  static async start(directory: string, random: () => number): Promise<NatsServers> {
    const ports = await freePorts(count * 2);
    const routePorts = ports.slice(count);
    const routes = new Map<string, TcpProxy>();
    for (const [from, to] of pairs()) {
      routes.set(`${from}-${to}`, await TcpProxy.start({ target: `127.0.0.1:${routePorts[to]}`, random }));
    }
    const servers = new NatsServers(directory, ports.slice(0, count), routePorts, routes);
    try {
      await servers.startAll();
      const restart = async (index: number) => {
        await servers.kill(index, 'SIGTERM');
        await servers.startAll();
      };
      await untilServersMeet({ urls: servers.addresses, restart });
    } catch (error) {
      await servers.stop();
      throw error;
    }
    return servers;
  }

  /** `host:port` of each, for whoever puts a proxy before it. */
  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  get indexes(): number[] {
    return this.ports.map((_, index) => index);
  }

  isRunning(index: number): boolean {
    return this.processes[index] !== undefined;
  }

  /** All that do not run, at once: one alone would wait for the others to elect a leader with. */
  async startAll(): Promise<void> {
    await Promise.all(this.indexes.filter((index) => !this.isRunning(index)).map((index) => this.startOnce(index)));
  }

  /** The proxies of all routes of one server. */
  routesOf(index: number): TcpProxy[] {
    return [...this.routes].filter(([pair]) => pair.split('-').includes(`${index}`)).map(([, proxy]) => proxy);
  }

  get allRoutes(): TcpProxy[] {
    return [...this.routes.values()];
  }

  async kill(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const running = this.processes[index];
    this.processes[index] = undefined;
    const ended = running?.kill(signal);
    // One that is paused would not hear of it before it goes on, and nobody would let it: it does not count any more.
    if (running !== undefined && signal === 'SIGTERM') process.kill(running.pid, 'SIGCONT');
    await ended;
  }

  signal(index: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.processes[index]?.pid;
    if (pid !== undefined) process.kill(pid, signal);
  }

  logFile(index: number): string {
    return join(this.directory, `nats-${index}`, 'nats-server.log');
  }

  /** Whatever state they are in: those that are starting are ended as well. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.allSettled(this.starting.values());
    await Promise.all(this.indexes.map((index) => this.kill(index, 'SIGKILL')));
    await Promise.all(this.allRoutes.map((proxy) => proxy.stop()));
  }

  /** Two who want it at once get the same. */
  private startOnce(index: number): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.resolve();
    const starting = this.starting.get(index) ?? this.start(index).finally(() => this.starting.delete(index));
    this.starting.set(index, starting);
    return starting;
  }

  private async start(index: number): Promise<void> {
    const storeDir = join(this.directory, `nats-${index}`);
    mkdirSync(storeDir, { recursive: true });
    const others = this.indexes.filter((other) => other !== index);
    const started = await startNatsServer({
      binary: natsServerBinary().binary,
      storeDir,
      port: this.ports[index],
      startTimeoutMs: 60_000,
      ...testWalls(),
      signal: this.stopping.signal,
      cluster: {
        name: this.clusterName,
        serverName: `n${index}`,
        port: this.routePorts[index],
        routes: others.map((other) => `nats-route://${this.routes.get(`${index}-${other}`)!.address}`),
        advertise: nowhere,
        noAdvertise: true,
      },
    });
    this.processes[index] = started;
    void started.exited.then(({ code, signal }) => {
      if (this.processes[index] !== started) return;
      this.processes[index] = undefined;
      this.onCrash(new Error(`nats-server ${index} ended by itself (${signal ?? `code ${code}`})`));
    });
  }
}

function pairs(): [number, number][] {
  const indexes = Array.from({ length: count }, (_, index) => index);
  return indexes.flatMap((from) => indexes.filter((to) => to !== from).map((to): [number, number] => [from, to]));
}
