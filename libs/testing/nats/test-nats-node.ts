import { join } from 'node:path';
import { type NatsServerProcess } from '#nats-server';
import { type TcpProxy } from '../net/index.js';

/** Where a node is, in all its lives. */
export interface TestNatsPlace {
  readonly index: number;
  readonly port: number;
  readonly routePort: number;
  readonly storeDir: string;
}

/** One server of a `TestNatsCluster`. */
export class TestNatsNode {
  /** Told when it ends although no test has asked it to. */
  onCrash: ((error: Error) => void) | undefined;
  /** Undefined while it does not run. */
  private current: NatsServerProcess | undefined;
  private starting: Promise<void> | undefined;

  constructor(
    readonly place: TestNatsPlace,
    /** Proxies of the routes from it and to it; none unless the cluster has proxies. */
    readonly routes: readonly TcpProxy[],
    private readonly launch: (self: TestNatsNode) => Promise<NatsServerProcess>,
  ) {}

  get index(): number {
    return this.place.index;
  }

  get serverName(): string {
    return `n${this.place.index}`;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.place.port}`;
  }

  get url(): string {
    return `nats://${this.address}`;
  }

  get logFile(): string {
    return join(this.place.storeDir, 'nats-server.log');
  }

  get running(): boolean {
    return this.current !== undefined;
  }

  /** SIGKILL, and waits until the process is gone. */
  kill9(): Promise<void> {
    return this.end((running) => running.kill('SIGKILL'));
  }

  /** SIGTERM, and waits until the process is gone. It goes on before if it is paused: it would not hear of it. */
  stop(): Promise<void> {
    return this.end(async (running) => {
      const ended = running.stop();
      process.kill(running.pid, 'SIGCONT');
      await ended;
    });
  }

  /**
   * Unless it runs, on the same ports and directory. Answers when its JetStream does: never while most of the servers
   * are gone, so bring several back at once. Two callers at once start it once.
   */
  start(): Promise<void> {
    if (this.running) return Promise.resolve();
    this.starting ??= this.begin().finally(() => (this.starting = undefined));
    return this.starting;
  }

  /** Kills it first if it still runs. */
  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  /** SIGSTOP: it holds its connections and does nothing. Nothing happens to one that does not run. */
  pause(): void {
    if (this.current !== undefined) process.kill(this.current.pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.current !== undefined) process.kill(this.current.pid, 'SIGCONT');
  }

  /** Waits for a start that is under way, however it ends. */
  async settled(): Promise<void> {
    await this.starting?.catch(() => undefined);
  }

  private async begin(): Promise<void> {
    const started = await this.launch(this);
    this.current = started;
    void started.exited.then(({ code, signal }) => {
      if (this.current !== started) return;
      this.current = undefined;
      this.onCrash?.(new Error(`nats-server ${this.index} ended by itself (${signal ?? `code ${code}`})`));
    });
  }

  private async end(how: (running: NatsServerProcess) => Promise<void>): Promise<void> {
    const running = this.current;
    this.current = undefined;
    if (running !== undefined) await how(running);
  }
}
