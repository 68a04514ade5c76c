import type { CacheStore } from '#cache-store';
import type { ClusterView } from '../agent/log/cluster-view.js';

/**
 * Removes copies because others hold them. Once a removal is decided, this worker no longer vouches for the copy.
 * Otherwise two workers with rings of different times could each remove their copy because of the other's.
 */
export class CopyRemover {
  private readonly leaving = new Set<string>();

  constructor(
    private readonly cache: CacheStore,
    private readonly view: ClusterView,
  ) {}

  /** Removes only while membership is still as at this log sequence. False: nothing was removed. */
  async remove(path: string, membershipSequence: number): Promise<boolean> {
    if (this.view.members().sequence !== membershipSequence || this.leaving.has(path)) return false;
    this.leaving.add(path);
    try {
      return await this.cache.delete(path);
    } finally {
      this.leaving.delete(path);
    }
  }

  isLeaving(path: string): boolean {
    return this.leaving.has(path);
  }
}
