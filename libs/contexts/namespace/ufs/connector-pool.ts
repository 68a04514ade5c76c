import type { Mount } from '../index.js';
import { UfsError, type UfsConnector } from '#ufs';

interface PooledConnector {
  connector: UfsConnector;
  users: number;
  /** Its mount is gone or has other options now: closed as soon as the last user lets go. */
  retired: boolean;
}

/** What one batch holds of the pool while it runs. */
export interface ConnectorLease {
  /** @throws UfsError `Outside` where no mount covers the path */
  connectorFor(ufsPath: string): UfsConnector;
  release(): Promise<void>;
}

/** One open connector per mount and options, opened when the first batch asks for it and shared by all. */
export class ConnectorPool {
  private readonly pooled = new Map<string, PooledConnector>();

  /**
   * @param mountOf the current mount table's answer
   * @param open opens the mount's options and connects
   */
  constructor(
    private readonly mountOf: (ufsPath: string) => Mount | undefined,
    private readonly open: (mount: Mount) => UfsConnector,
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

  /** Retires the connectors of mounts that are gone or have changed. */
  async keepOnly(mounts: readonly Mount[]): Promise<void> {
    const current = new Set(mounts.map(keyOf));
    const retired = [...this.pooled].filter(([key]) => !current.has(key));
    await Promise.all(retired.map(([key]) => this.retire(key)));
  }

  async close(): Promise<void> {
    await this.keepOnly([]);
  }

  private pool(mount: Mount): PooledConnector {
    const key = keyOf(mount);
    let pooled = this.pooled.get(key);
    if (!pooled) {
      pooled = { connector: this.open(mount), users: 0, retired: false };
      this.pooled.set(key, pooled);
    }
    return pooled;
  }

  private async retire(key: string): Promise<void> {
    const pooled = this.pooled.get(key);
    if (!pooled) return;
    this.pooled.delete(key);
    pooled.retired = true;
    if (pooled.users === 0) await pooled.connector.close();
  }

  private async letGo(pooled: PooledConnector): Promise<void> {
    pooled.users--;
    if (pooled.retired && pooled.users === 0) await pooled.connector.close();
  }
}

/** Secrets stand in it sealed, as they do in the mount table. */
function keyOf({ ufs, options }: Mount): string {
  return JSON.stringify([ufs, Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
