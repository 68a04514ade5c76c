import type { DirectoryWalk } from './directory-walk.js';

const parkedAtMost = 8;
const parkedForMs = 60_000;

/**
 * Walks that ended a page and may be asked for the next one. Only a saving: taking up a directory of a million names
 * in its middle means reading all of them again, which page by page would be quadratic. What is not found here is
 * walked anew from its cursor, with the same result.
 */
export class ParkedWalks {
  private readonly parked = new Map<string, { walk: DirectoryWalk; expiry: NodeJS.Timeout }>();

  /** A walk is handed out once: two readers of the same cursor must not share it. */
  take(startUri: string, cursor: string): DirectoryWalk | undefined {
    const key = keyOf(startUri, cursor);
    const entry = this.parked.get(key);
    this.drop(key);
    return entry?.walk;
  }

  park(startUri: string, cursor: string, walk: DirectoryWalk): void {
    const key = keyOf(startUri, cursor);
    this.drop(key);
    const expiry = setTimeout(() => this.drop(key), parkedForMs).unref();
    this.parked.set(key, { walk, expiry });
    const oldest = this.parked.keys().next();
    if (this.parked.size > parkedAtMost && !oldest.done) this.drop(oldest.value);
  }

  clear(): void {
    for (const key of [...this.parked.keys()]) this.drop(key);
  }

  private drop(key: string): void {
    clearTimeout(this.parked.get(key)?.expiry);
    this.parked.delete(key);
  }
}

function keyOf(startUri: string, cursor: string): string {
  return `${cursor} ${startUri}`;
}
