import {
  type ConnectionOptions,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  connect,
  Events,
} from 'nats';
import { DomainError } from '#kernel';
import { ConnectAttempts, GrowingPauses, isRefusal } from './connect-attempts.js';
import { messageOf } from './errors.js';
import { inboxPrefixOf } from '../names/roles.js';
import { Witnesses } from './witnesses.js';

/** `closed` is final: the client has given up, and the process should end. */
export type LinkStatus = 'connected' | 'disconnected' | 'closed';
export type LogLevel = 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

const betweenMovesMs = 5_000;

export interface ConnectOptions {
  /** `nats://[token@|user:password@]host:port`, several separated by commas (the credentials of the first count). */
  readonly url: string;
  /** Shown by NATS' monitoring, for example `coordinator-1`. */
  readonly name: string;
  readonly onStatus?: (status: LinkStatus) => void;
  /** For events that deserve a log line but are no error: reconnects, discarded snapshots, recreated consumers. */
  readonly log?: Log;
  /** Called with one sentence about what the connection waits for, until there is a connection. */
  readonly onWaiting?: (what: string) => void;
  /** How long to try the first connection. Default 30 s. */
  readonly connectTimeoutMs?: number;
  /** When aborted, the first connection is tried no longer. */
  readonly signal?: AbortSignal;
  /** How long one request to JetStream may take. Default 2 s. */
  readonly requestTimeoutMs?: number;
}

/**
 * A connection to NATS that reconnects for ever. While it is down, `connected` is false and callers should make no
 * requests: the client would hold them back or drop them, and the caller could not tell which.
 */
export class NatsLink {
  private readonly listeners = new Set<(status: LinkStatus) => void>();
  private status: LinkStatus = 'connected';
  private refused = false;
  private movedAtMs = -Infinity;
  private readonly refusals: GrowingPauses;
  /** Connections to several servers, for questions to all of them; opened at the first use. */
  readonly witnesses: Witnesses;

  constructor(
    readonly nc: NatsConnection,
    readonly js: JetStreamClient,
    readonly jsm: JetStreamManager,
    readonly log: Log,
    private readonly servers: readonly string[],
    dial: (address: string) => Promise<NatsConnection>,
  ) {
    this.refusals = new GrowingPauses((text) => log('error', text));
    const addresses = () => this.serverAddresses;
    this.witnesses = new Witnesses({ main: nc, configured: servers, addresses, dial, log });
    void this.watch();
    void nc.closed().then(() => {
      this.enter('closed');
      return this.witnesses.close();
    });
  }

  get connected(): boolean {
    return this.status === 'connected';
  }

  get closed(): boolean {
    return this.status === 'closed';
  }

  /** Why there is no connection, one sentence; undefined while there is one. */
  get trouble(): string | undefined {
    if (this.connected) return undefined;
    return this.refused ? this.refusal : 'the connection to NATS is lost';
  }

  private get refusal(): string {
    return refusedCredentials(`NATS at ${this.servers.join(', ')}`);
  }

  get serverVersion(): string {
    return this.nc.info?.version ?? '0.0.0';
  }

  /** `host:port` of every known server: those of the configuration, and those that NATS has announced. */
  get serverAddresses(): string[] {
    return [...new Set([...this.servers, ...(this.nc.info?.connect_urls ?? [])])];
  }

  /** Largest message that the server accepts, bytes, including headers. */
  get maxPayloadBytes(): number {
    return this.nc.info?.max_payload ?? 1024 * 1024;
  }

  /** @returns a function that removes the listener. */
  onStatus(listener: (status: LinkStatus) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves to true once connected, to false if that has not happened by `deadlineMs` (of `performance.now()`). */
  whenConnected(deadlineMs: number): Promise<boolean> {
    if (this.connected) return Promise.resolve(true);
    if (this.closed) return Promise.resolve(false);
    return new Promise((settle) => {
      const done = (answer: boolean) => {
        off();
        clearTimeout(timer);
        settle(answer);
      };
      const off = this.onStatus((status) => done(status === 'connected'));
      const timer = setTimeout(() => done(false), Math.max(0, deadlineMs - performance.now()));
    });
  }

  /**
   * Runs a request and gives up as soon as the connection is lost, not only at its timeout: the answer cannot come any
   * more. It is then unknown whether the request was carried out.
   *
   * @param timeoutMs for a shorter timeout than the connection's own: then a newly elected leader is asked soon, and
   *   not only after the question to the lost one has timed out.
   */
  abortable<T>(request: () => Promise<T>, timeoutMs?: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (code: string, text: string) => {
        end();
        reject(new DomainError('Unavailable', code, text));
      };
      const off = this.onStatus((status) => {
        if (status !== 'connected') giveUp('connection-lost', 'the connection to NATS was lost during a request');
      });
      const late = () => giveUp('nats-silent', `NATS did not answer within ${timeoutMs} ms`);
      const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
      const end = () => {
        off();
        clearTimeout(timer);
      };
      request().then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          end();
          reject(error instanceof Error ? error : new Error(messageOf(error)));
        },
      );
    });
  }

  /**
   * Connects to the next of the known servers. It does nothing for some seconds after a move: the client takes the
   * servers in turn, and each gets its chance.
   */
  async moveOn(reason: string): Promise<void> {
    const now = performance.now();
    if (!this.connected || now - this.movedAtMs < betweenMovesMs) return;
    this.movedAtMs = now;
    this.log('warn', `connecting to another NATS server: ${reason}`, { left: this.nc.info?.server_name });
    // Refused when the connection is being closed: this process ends, and needs no other server.
    await this.nc.reconnect().catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.nc.close();
  }

  /** Sends what is still buffered, ends subscriptions, closes. */
  async drain(): Promise<void> {
    if (this.connected) await this.nc.drain();
    else await this.nc.close();
  }

  private async watch(): Promise<void> {
    for await (const event of this.nc.status()) {
      const forbidden = event.permissionContext;
      if (forbidden) this.log('error', `NATS forbids ${forbidden.operation} on ${forbidden.subject}`);
      if ((event.type as Events) === Events.Disconnect) this.enter('disconnected');
      else if ((event.type as Events) === Events.Reconnect) this.enter('connected');
      else if ((event.type as Events) === Events.Error) this.noteError(event.data as string);
    }
  }

  /** Logs a refusal: the client retries without a word, as credentials may be changed on both sides in turn. */
  private noteError(code: string): void {
    if (!isRefusal({ code })) return;
    this.refused = true;
    this.refusals.failed(`${this.refusal}; trying again`);
  }

  private enter(status: LinkStatus): void {
    if (this.status === status || this.closed) return;
    this.status = status;
    if (status === 'connected') {
      this.refused = false;
      this.refusals.over();
    }
    this.log(status === 'connected' ? 'info' : 'warn', `NATS: ${status}`);
    for (const listener of [...this.listeners]) listener(status);
  }
}

/**
 * Connects, and resolves when JetStream answers.
 *
 * @throws DomainError Refused `nats-refused` (credentials); Unavailable `nats-unreachable`, `jetstream-disabled`; the
 *   signal's reason
 */
export async function connectNats(options: ConnectOptions): Promise<NatsLink> {
  const deadline = performance.now() + (options.connectTimeoutMs ?? 30_000);
  const { servers, ...credentials } = parseUrl(options.url);
  const { log = () => undefined, onWaiting = () => undefined } = options;
  const attempts = new ConnectAttempts(servers, log, onWaiting);
  let refusals = 0;
  const connectOptions: ConnectionOptions = {
    ...credentials,
    inboxPrefix: inboxPrefixOf('user' in credentials ? credentials.user : undefined),
    timeout: 1_500,
    // The defaults give up after 10 attempts, wait 2 s between them, and notice a frozen server after 4 minutes. With
    // these options it is noticed after 4 to 6 seconds.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    pingInterval: 2_000,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
  /** Connects to this one server and ignores the others that it announces. */
  const dial = (address: string) =>
    connect({
      ...connectOptions,
      servers: [address],
      name: `${options.name} witness`,
      ignoreClusterUpdates: true,
      noRandomize: true,
      reconnect: false,
    });
  for (;;) {
    options.signal?.throwIfAborted();
    let nc: NatsConnection | undefined;
    try {
      nc = await connect({ ...connectOptions, servers, name: options.name });
      if (!nc.info?.jetstream) {
        throw new DomainError('Unavailable', 'jetstream-disabled', 'the nats-server runs without JetStream');
      }
      const timeout = options.requestTimeoutMs ?? 2_000;
      const jsm = await nc.jetstreamManager({ timeout, checkAPI: false });
      await jsm.getAccountInfo();
      const link = new NatsLink(nc, nc.jetstream({ timeout }), jsm, log, servers, dial);
      if (options.onStatus) link.onStatus(options.onStatus);
      return link;
    } catch (error) {
      await nc?.close();
      if (error instanceof DomainError) throw error;
      // Only a second refusal counts: one of several servers may still have, or have already, other credentials.
      if (isRefusal(error) && ++refusals > 1) {
        throw new DomainError('Refused', 'nats-refused', refusedCredentials(attempts.where), { cause: error });
      }
      attempts.failed(error);
      if (performance.now() >= deadline) {
        const text = `${attempts.where} does not answer: ${messageOf(error)}`;
        throw new DomainError('Unavailable', 'nats-unreachable', text, { cause: error });
      }
      await new Promise((next) => setTimeout(next, 200));
    }
  }
}

function refusedCredentials(where: string): string {
  return `${where} refuses the credentials, or that there are none: LARDER_NATS_URL must hold its token, or user and password`;
}

/** Takes credentials out of the address: the client accepts them as options only. */
function parseUrl(url: string) {
  const urls = url.split(',').map((one) => {
    const text = one.trim();
    try {
      return new URL(text.includes('://') ? text : `nats://${text}`);
    } catch (error) {
      // The message leaves the text out: it may hold a token.
      throw new DomainError('Malformed', 'invalid-nats-url', 'the NATS address is not a URL', { cause: error });
    }
  });
  const [username, password] = [urls[0].username, urls[0].password].map(decodeURIComponent);
  return {
    servers: urls.map((one) => `${one.hostname}:${one.port || 4222}`),
    ...(urls[0].protocol === 'tls:' ? { tls: {} } : {}),
    ...(password ? { user: username, pass: password } : username ? { token: username } : {}),
  };
}
