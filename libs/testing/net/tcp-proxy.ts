import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { breakOff, ProxiedLink } from './proxied-link.js';
import type { ProxyMode } from './proxy-mode.js';

export interface TcpProxyOptions {
  /** Where it connects to, `host:port`. May be set later, as `target`. */
  target?: string;
  /** Where it listens, on 127.0.0.1. Default: a free one. */
  port?: number;
  /** Returns a number in [0, 1) for jitter and sizes of slices. Default: Math.random, which cannot be repeated. */
  random?: () => number;
}

/**
 * Stands between two processes that speak TCP and disturbs their connection as networks do. With `cut` and `truncate`
 * both ends see a reset; with `blackhole` they see nothing.
 */
export class TcpProxy {
  /** `host:port` to connect to; connections are refused while it is undefined. */
  target: string | undefined;
  private current: ProxyMode = { kind: 'pass' };
  private readonly links = new Set<ProxiedLink>();

  private constructor(
    private readonly server: Server,
    private readonly random: () => number,
    target: string | undefined,
  ) {
    this.target = target;
    server.on('connection', (socket) => this.accept(socket));
  }

  /** Resolves when the proxy listens. */
  static async start({ target, port = 0, random = Math.random }: TcpProxyOptions = {}): Promise<TcpProxy> {
    // After one end has closed, the other may still answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new TcpProxy(server, random, target);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** `host:port` for clients that are to go through it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get mode(): ProxyMode {
    return this.current;
  }

  /** Connections that are open through it now. */
  get connections(): number {
    return this.links.size;
  }

  /** How many of those have lost bytes in a black hole. */
  get lossy(): number {
    return [...this.links].filter((link) => link.lostPieces > 0).length;
  }

  /** Takes effect at once, also for existing connections. Bytes that were dropped do not come back. */
  setMode(mode: ProxyMode): void {
    const before = this.current.kind;
    this.current = mode;
    // Reset a stream that has lost bytes: TCP never goes on without them either.
    if (mode.kind === 'cut') this.resetAll(() => true);
    else if (before === 'blackhole' && mode.kind !== 'blackhole') this.resetAll((link) => link.lostPieces > 0);
    for (const link of this.links) link.modeChanged();
  }

  /** Breaks open connections and stops listening. */
  async stop(): Promise<void> {
    this.resetAll(() => true);
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  private accept(client: Socket): void {
    if (this.current.kind === 'cut' || this.target === undefined) {
      client.on('error', () => undefined);
      breakOff(client);
      return;
    }
    const link = new ProxiedLink(client, this.target, { mode: () => this.current, random: this.random });
    this.links.add(link);
    link.onClosed = () => this.links.delete(link);
  }

  private resetAll(which: (link: ProxiedLink) => boolean): void {
    for (const link of [...this.links].filter(which)) link.reset();
  }
}
