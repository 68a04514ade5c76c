import { Pool } from 'undici';
import type { UfsTuning } from '../types.js';
import { externalLookup } from './internal-address.js';
import type { RequestTarget } from './redirects.js';

/** A store of many nodes that redirects to each. Beyond, who was not asked for longest is let go. */
const maxPools = 256;

/** Connections to the endpoint, and to wherever it redirects. */
export class ConnectionPools {
  private readonly pools = new Map<string, Pool>();

  constructor(private readonly tuning: UfsTuning) {}

  of({ origin, mustBeExternal = false }: RequestTarget): Pool {
    const id = `${mustBeExternal} ${origin}`;
    const pool = this.pools.get(id) ?? this.open(origin, mustBeExternal);
    // The order of the map is that of use.
    this.pools.delete(id);
    this.pools.set(id, pool);
    if (this.pools.size > maxPools) this.letGo();
    return pool;
  }

  /** Ends what is still running. */
  async destroy(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.destroy()));
  }

  private open(origin: string, mustBeExternal: boolean): Pool {
    const { maxConnections, connectTimeoutMs: timeout } = this.tuning;
    return new Pool(origin, {
      connections: maxConnections,
      connect: mustBeExternal ? { timeout, lookup: externalLookup } : { timeout },
    });
  }

  private letGo(): void {
    const [id, pool] = this.pools.entries().next().value!;
    this.pools.delete(id);
    // What it is asked already it still answers.
    void pool.close();
  }
}
