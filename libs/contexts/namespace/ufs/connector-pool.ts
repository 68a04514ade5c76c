import type { Mount } from '../index.js';
import { GuardedConnector, UfsError, type OutagePolicy, type StoreOutage, type UfsConnector } from '#ufs';

interface PooledConnector {
  readonly ufs: string;
  connector: GuardedConnector;
  users: number;
}

/** The connectors of the pool that one batch uses while it runs. */
export interface ConnectorLease {
  /** @throws UfsError `Outside` when no mount covers the path */
  connectorFor(ufsPath: string): UfsConnector;
  release(): Promise<void>;
}

/**
 * One open connector per mount and options. It is opened when the first batch needs it and shared by all batches, with
 * its connections and what is known about the health of the store.
 */
export class ConnectorPool {
  private readonly pooled = new Map<string, PooledConnector>();
  /** Replaced connectors that still have users. */
  private readonly retiring = new Set<PooledConnector>();

  /**
   * @param mountOf finds the mount in the current mount table
   * @param open opens the mount's options and connects
   * @param policy how an outage of a store is waited out
   */
  constructor(
    private readonly mountOf: (ufsPath: string) => Mount | undefined,
    private readonly open: (mount: Mount) => UfsConnector,
    private readonly policy: OutagePolicy,
  ) {}

  lease(): ConnectorLease {
    const held = new Set<PooledConnector>();
    return {
      connectorFor: (ufsPath) => {
        const mount = this.mountOf(ufsPath);
        if (!mount) throw new UfsError('Outside', ufsPath, `no mount covers the path any more: ${ufsPath}`);
        const pooled = this.pool(mount);
        if (!held.has(pooled)) {
          held.add(pooled);
          pooled.users++;
        }
        return pooled.connector;
      },
      release: async () => {
        const released = [...held];
        held.clear();
        await Promise.all(released.map((pooled) => this.letGo(pooled)));
      },
    };
  }

  /**
   * Retires the connectors of mounts that have changed. Reads in progress end with the old connector. If the mount is
   * gone, reads in progress are aborted.
   */
  async keepOnly(mounts: readonly Mount[]): Promise<void> {
    const current = new Set(mounts.map(keyOf));
    const mounted = new Set(mounts.map(({ ufs }) => ufs));
    const changed = [...this.pooled].filter(([key]) => !current.has(key));
    for (const [key, pooled] of changed) {
      this.pooled.delete(key);
      this.retiring.add(pooled);
      pooled.connector.supersede();
    }
    await Promise.all([...this.retiring].map((pooled) => this.retire(pooled, mounted.has(pooled.ufs))));
  }

  /** The stores whose outage is waited for. */
  outages(): StoreOutage[] {
    return [...this.pooled.values()].flatMap(({ connector }) => connector.status() ?? []);
  }

  async close(): Promise<void> {
    await this.keepOnly([]);
  }

  private pool(mount: Mount): PooledConnector {
    const key = keyOf(mount);
    let pooled = this.pooled.get(key);
    if (!pooled) {
      const connector = new GuardedConnector(this.open(mount), mount.ufs, this.policy);
      pooled = { ufs: mount.ufs, connector, users: 0 };
      this.pooled.set(key, pooled);
    }
    return pooled;
  }

  private async retire(pooled: PooledConnector, isStillMounted: boolean): Promise<void> {
    if (pooled.users > 0 && isStillMounted) return;
    this.retiring.delete(pooled);
    await (isStillMounted ? pooled.connector.close() : pooled.connector.abandon());
  }

  private async letGo(pooled: PooledConnector): Promise<void> {
    pooled.users--;
    if (this.retiring.has(pooled)) await this.retire(pooled, true);
  }
}

/** A mount of the table never changes: another takes its place. */
const keys = new WeakMap<Mount, string>();

function keyOf(mount: Mount): string {
  const known = keys.get(mount);
  if (known !== undefined) return known;
  const key = describe(mount);
  keys.set(mount, key);
  return key;
}

/** Secrets in the key are sealed, as in the mount table. */
function describe({ ufs, options }: Mount): string {
  return JSON.stringify([ufs, Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
