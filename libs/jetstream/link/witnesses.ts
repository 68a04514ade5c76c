import { type Msg, type NatsConnection } from 'nats';
import { type Log } from './connection.js';
import { newInbox } from './inbox.js';

/** Pause between attempts to reach a server. */
const redialMs = 250;

/** Asks questions over one connection, and passes replies on until the caller stops listening. */
export class Line {
  private readonly inbox: string;
  private readonly listeners = new Map<string, (reply: Msg) => void>();
  private asked = 0;

  constructor(private readonly nc: NatsConnection) {
    this.inbox = newInbox(nc);
  }

  /** Name of the server at the other end; undefined while there is none. Names are unique within a cluster. */
  get serverName(): string | undefined {
    return this.nc.isClosed() ? undefined : this.nc.info?.server_name;
  }

  /**
   * Asks a question. Replies that come after the connection has moved to another server are dropped: the question went
   * out over the former one. A connection that is closed or closing asks nothing: timers repeat questions and may do so
   * just after it has gone.
   *
   * @returns a function that stops listening.
   */
  ask(subject: string, heard: (reply: Msg) => void, payload?: string): () => void {
    if (this.nc.isClosed() || this.nc.isDraining()) return () => undefined;
    // One subscription for all questions: each new subscription is announced to every server of the cluster.
    if (this.asked === 0) this.nc.subscribe(`${this.inbox}.*`, { callback: (_, reply) => this.dispatch(reply) });
    const reply = `${this.inbox}.${++this.asked}`;
    const { serverName } = this;
    this.listeners.set(reply, (message) => {
      if (this.serverName === serverName) heard(message);
    });
    this.nc.publish(subject, payload, { reply });
    return () => void this.listeners.delete(reply);
  }

  private dispatch(reply: Msg): void {
    this.listeners.get(reply.subject)?.(reply);
  }
}

/**
 * A connection that stays with one address, and is replaced when it breaks. The client's own reconnecting is not used:
 * a client that is closed meanwhile may connect all the same, and then it cannot be closed.
 */
class Witness {
  /** Undefined while there is no connection. */
  line: Line | undefined;
  /** Name of the server that was last reached here. */
  serverName: string | undefined;
  private nc: NatsConnection | undefined;
  private stopped = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly dial: () => Promise<NatsConnection>,
    private readonly onChange: () => void,
  ) {}

  /** Resolves when the first attempt to connect has ended; keeps trying after that. */
  start(): Promise<void> {
    return new Promise((tried) => void this.keep(tried));
  }

  async close(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    await this.nc?.close();
  }

  private async keep(tried: () => void): Promise<void> {
    while (!this.stopped) {
      try {
        this.nc = await this.dial();
        if (this.stopped) await this.nc.close();
        else await this.follow(this.nc, tried);
      } catch {
        // Ignore the reason: callers do without a server that cannot be reached.
      }
      this.become(undefined);
      tried();
      if (!this.stopped) await this.pause();
    }
  }

  /** Resolves when the connection is gone. */
  private async follow(nc: NatsConnection, tried: () => void): Promise<void> {
    const line = new Line(nc);
    this.become(line);
    tried();
    await nc.closed();
  }

  private become(line: Line | undefined): void {
    this.line = line;
    this.serverName = line?.serverName ?? this.serverName;
    this.onChange();
  }

  private pause(): Promise<void> {
    return new Promise((again) => {
      const timer = setTimeout(again, redialMs);
      timer.unref();
      this.wake = () => {
        clearTimeout(timer);
        again();
      };
    });
  }
}

export interface WitnessesOptions {
  /** The coordinator's own connection. */
  readonly main: NatsConnection;
  /** `host:port` as configured: the operator says that there are servers. */
  readonly configured: readonly string[];
  /** `host:port` of every server that is known now, including those that NATS announces. */
  readonly addresses: () => readonly string[];
  /** Connects to this one address, once, and never to another. */
  readonly dial: (address: string) => Promise<NatsConnection>;
  readonly log: Log;
}

/**
 * Additional connections of a process, one to each address of a NATS server, for asking several servers at once
 * (`confirmedInfo` describes the purpose). They are opened at the first use and reconnect for ever. Only the callers
 * that ask over them learn their state. The address of the process's main connection gets one, too, because the main
 * connection can move to another server just when this one matters. A server is known by its name, not by its address,
 * and counts once.
 */
export class Witnesses {
  private readonly byAddress = new Map<string, Witness>();
  private readonly listeners = new Set<() => void>();
  private readonly mainLine: Line;
  private told: unknown;
  private opening: Promise<unknown> | undefined;
  private closed = false;
  private warned = false;

  constructor(private readonly options: WitnessesOptions) {
    this.mainLine = new Line(options.main);
  }

  /**
   * Opens connections to all known addresses that have none.
   * @returns resolves when each of the new connections has been tried once.
   */
  open(): Promise<unknown> {
    const { addresses, dial, main } = this.options;
    // The client makes a new `info` object whenever the server announces others.
    if (this.closed || (main.info === this.told && this.opening !== undefined))
      return this.opening ?? Promise.resolve();
    this.told = main.info;
    this.forgetReplaced();
    const added = addresses().filter((address) => !this.byAddress.has(address));
    const tried = added.map((address) => {
      const witness = new Witness(
        () => dial(address),
        () => this.changed(),
      );
      this.byAddress.set(address, witness);
      return witness.start();
    });
    return (this.opening = Promise.all([this.opening, ...tried]));
  }

  /** One connection to each connected server, by the server's name. */
  lines(): Map<string, Line> {
    const lines = new Map<string, Line>();
    for (const line of [this.mainLine, ...this.all.map(({ line }) => line)]) {
      const name = line?.serverName;
      if (name !== undefined && !lines.has(name)) lines.set(name, line!);
    }
    return lines;
  }

  /**
   * How many servers could be asked if all of them were up. A configured address counts even if no server has ever
   * answered there, since that may be a partition. An address that NATS announced counts once it was reached: such
   * addresses may be valid only inside the servers' own network.
   */
  knownServers(): number {
    const { main, configured } = this.options;
    const names = new Set([this.mainLine.serverName, ...this.all.map(({ serverName }) => serverName)]);
    names.delete(undefined);
    const mainAddress = main.getServer().toLowerCase();
    const unseen = configured.filter(
      (address) => address.toLowerCase() !== mainAddress && this.byAddress.get(address)?.serverName === undefined,
    );
    return names.size + unseen.length;
  }

  /** Calls back whenever a connection has come up or gone down. @returns a function that ends that */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Logs once that too few servers are known. */
  warnTooFew(servers: number): void {
    if (this.warned) return;
    this.warned = true;
    const text =
      `the log is kept by ${servers} NATS servers, but too few of them can be asked for its end: a server that was cut ` +
      'off may be trusted for some seconds. List all of them in LARDER_NATS_URL, separated by commas';
    this.options.log('warn', text, { known: this.knownServers() });
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.all.map((witness) => witness.close()));
  }

  private get all(): Witness[] {
    return [...this.byAddress.values()];
  }

  /** Drops addresses that NATS announced earlier and that a server has replaced by another one. */
  private forgetReplaced(): void {
    const { addresses } = this.options;
    const [known, lines] = [new Set(addresses()), this.lines()];
    for (const [address, witness] of this.byAddress) {
      const { line, serverName } = witness;
      if (line !== undefined || known.has(address)) continue;
      if (serverName !== undefined && !lines.has(serverName)) continue;
      this.byAddress.delete(address);
      void witness.close();
    }
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
