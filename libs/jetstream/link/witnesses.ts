import { type Msg, type NatsConnection } from 'nats';
import { type Log } from './connection.js';
import { newInbox } from './inbox.js';

/** Between attempts to reach a server. */
const redialMs = 250;

/** A connection as something to ask questions over, of which the replies are heard for as long as somebody listens. */
export class Line {
  private readonly inbox: string;
  private readonly listeners = new Map<string, (reply: Msg) => void>();
  private asked = 0;

  constructor(private readonly nc: NatsConnection) {
    this.inbox = newInbox(nc);
  }

  /** Of the server at the other end; undefined while there is none. Names are unique within a cluster. */
  get serverName(): string | undefined {
    return this.nc.isClosed() ? undefined : this.nc.info?.server_name;
  }

  /**
   * Replies that come once the connection has moved to another server are not passed on: it is not over that one that
   * the question went out. Over a connection that is closed, or is being closed, nothing is asked and nothing comes:
   * questions are put again from timers, when it may just have gone.
   *
   * @returns how to hear no more.
   */
  ask(subject: string, heard: (reply: Msg) => void, payload?: string): () => void {
    if (this.nc.isClosed() || this.nc.isDraining()) return () => undefined;
    // One subscription for all questions: each new one is told to every server of the cluster.
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
 * A connection that is kept to one address: a new one for each that breaks. The client could reconnect by itself, but one
 * that is closed while it does may connect all the same, and then nobody can close it.
 */
class Witness {
  /** Undefined while there is no connection. */
  line: Line | undefined;
  /** Of the server that was last reached here. */
  serverName: string | undefined;
  private nc: NatsConnection | undefined;
  private stopped = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly dial: () => Promise<NatsConnection>,
    private readonly onChange: () => void,
  ) {}

  /** Resolves when the first attempt to connect has come to an end; goes on trying. */
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
        // That it is not there is all there is to say: who asks will do without it.
      }
      this.become(undefined);
      tried();
      if (!this.stopped) await this.pause();
    }
  }

  /** Until the connection is gone. */
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
  /** `host:port` as configured: somebody says that there are servers. */
  readonly configured: readonly string[];
  /** `host:port` of every server that is known now, those that NATS tells of among them. */
  readonly addresses: () => readonly string[];
  /** Connects to this one address, once, and never to another. */
  readonly dial: (address: string) => Promise<NatsConnection>;
  readonly log: Log;
}

/**
 * Connections beside a process' own, one to each address of a NATS server, for asking over several of them at once
 * (`confirmedInfo` says what for). They are opened when somebody first needs them, come back for ever, and tell nobody about
 * their state but who asks over them. The address that the process' own connection uses has one, too: that connection
 * moves to another server just when this one matters. A server is known by its name, not by its address, and counts
 * once.
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
   * Opens connections to all addresses that are known by now and have none.
   * @returns resolves when each that was not there at the call before has been tried once.
   */
  open(): Promise<unknown> {
    const { addresses, dial, main } = this.options;
    // Whatever the server tells of others comes with a new object.
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

  /** By the name of the server at the other end: one connection to each server that is connected to. */
  lines(): Map<string, Line> {
    const lines = new Map<string, Line>();
    for (const line of [this.mainLine, ...this.all.map(({ line }) => line)]) {
      const name = line?.serverName;
      if (name !== undefined && !lines.has(name)) lines.set(name, line!);
    }
    return lines;
  }

  /**
   * How many servers could be asked, were all of them up. An address that was configured counts even if nobody has ever
   * answered there, since that may be a partition; one that NATS told of counts once it was reached, since such addresses
   * may be good only inside the servers' own network.
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

  /** Told whenever a connection has come up or gone down. @returns how to end that */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Says once that too few servers are known. */
  warnTooFew(servers: number): void {
    if (this.warned) return;
    this.warned = true;
    const text =
      `the log is kept by ${servers} NATS servers, but too few of them can be asked for its end: a server that was cut ` +
      'off may be believed for some seconds. List all of them in LARDER_NATS_URL, separated by commas';
    this.options.log('warn', text, { known: this.knownServers() });
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.all.map((witness) => witness.close()));
  }

  private get all(): Witness[] {
    return [...this.byAddress.values()];
  }

  /** Where a server has been given another address, the one that NATS used to tell of leads nowhere. */
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
