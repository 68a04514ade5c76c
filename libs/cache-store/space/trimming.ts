import { setImmediate as nextTurn } from 'node:timers/promises';
import { TIERS, type ActivePolicies, type Tier } from './active-policies.js';
import { type CacheIndex } from '../entries/cache-index.js';
import { type JobKeeps } from './job-keeps.js';
import { type Mutex } from './mutex.js';
import { type Space } from './space.js';
import { type Storage } from './storage.js';

const rowsAtOnce = 256;

/** Evicts below one directory, only to keep a limit on it. Other writes run meanwhile. */
export class Trimming {
  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly space: Space,
    private readonly policies: ActivePolicies,
    private readonly keeps: JobKeeps,
    private readonly mutex: Mutex,
  ) {}

  /**
   * @param directory without a slash at its end
   * @param bytesLeft what the directory holds at the moment
   */
  async run(directory: string, maxBytes: number, bytesLeft: () => number): Promise<void> {
    if (bytesLeft() <= maxBytes) return;
    await this.mutex.run(() => this.space.flushAccesses());
    for (const tier of TIERS) {
      for (let from = 0; bytesLeft() > maxBytes;) {
        const rows = this.index.evictionRows(from, rowsAtOnce);
        const last = rows.at(-1);
        if (last === undefined) break;
        from = last.tick + 1;
        const below = rows.flatMap(({ path }) => (isAtOrBelow(directory, path) ? [path] : []));
        if (below.length > 0) await this.mutex.run(() => this.evict(below, tier, bytesLeft() - maxBytes));
        await nextTurn();
      }
    }
  }

  private async evict(paths: readonly string[], tier: Tier, excessBytes: number): Promise<void> {
    const victims: string[] = [];
    let left = excessBytes;
    for (const path of paths) {
      if (left <= 0) break;
      const stored = this.index.get(path);
      if (stored === undefined || this.policies.tierOf(path) !== tier) continue;
      if (this.keeps.counted(stored.entry) || this.storage.isBeingRead(stored)) continue;
      victims.push(path);
      left -= stored.entry.sizeBytes;
    }
    if (victims.length > 0) await this.space.evict(victims);
  }
}

function isAtOrBelow(directory: string, path: string): boolean {
  return path.startsWith(directory) && (path.length === directory.length || path[directory.length] === '/');
}
