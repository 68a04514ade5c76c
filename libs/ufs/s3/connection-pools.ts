import { Pool } from 'undici';
import type { UfsTuning } from '../types.js';
import { externalLookup } from './internal-address.js';
import { placingConnector } from './placing-sockets.js';
import type { RequestTarget } from './redirects.js';

/** For a store of many nodes that redirects to each. Beyond this, the least recently used pool is closed. */
const maxPools = 256;

/** Connections to the endpoint, and to the places that it redirects to. */
export class ConnectionPools {
  private readonly pools = new Map<string, Pool>();
  private latest: { origin: string; mustBeExternal: boolean; pool: Pool } | undefined;

  /** @param placing for answers whose handler copies them at once: see `placingConnector` */
  constructor(
    private readonly tuning: UfsTuning,
    private readonly placing = false,
  ) {}

  of({ origin, mustBeExternal = false }: RequestTarget): Pool {
    const { latest } = this;
    if (latest?.origin === origin && latest.mustBeExternal === mustBeExternal) return latest.pool;
    const pool = this.find(origin, mustBeExternal);
    this.latest = { origin, mustBeExternal, pool };
    return pool;
  }

  /** Ends all running requests. */
  async destroy(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private find(origin: string, mustBeExternal: boolean): Pool {
    const id = `${mustBeExternal} ${origin}`;
    const pool = this.pools.get(id) ?? this.open(origin, mustBeExternal);
    // The order of the map is that of use.
    this.pools.delete(id);
    this.pools.set(id, pool);
    if (this.pools.size > maxPools) this.letGo();
    return pool;
  }

  private open(origin: string, mustBeExternal: boolean): Pool {
    const { maxConnections, connectTimeoutMs: timeout } = this.tuning;
    const options = mustBeExternal ? { timeout, lookup: externalLookup } : { timeout };
    return new Pool(origin, {
      connections: maxConnections,
      connect: this.placing ? placingConnector(options) : options,
    });
  }

  private letGo(): void {
    const [id, pool] = this.pools.entries().next().value!;
    this.pools.delete(id);
    // Running requests still get their answers.
    void pool.close();
  }
}
