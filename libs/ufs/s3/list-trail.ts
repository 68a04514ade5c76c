import { hash } from 'node:crypto';
import { LineSet } from '../line-set.js';
import type { Listed } from './list-cursor.js';

/** 12 bytes a key at 3/4 load: 64 to 100 MB at most, for listings that are in no order. */
export const maxRemembered = 4 * 1024 * 1024;
/** Enough for the disorder of a listing to show. After that, an ordered listing needs no memory of its keys. */
export const maxRememberedInOrder = 10_000;

/** What is known of the keys and the tokens of one listing, from its beginning on. */
export class ListTrail {
  private readonly names = new LineSet(maxRemembered);
  private readonly tokens = new LineSet(maxRemembered);

  /**
   * @param keys how many were listed before this process took over; Infinity where that is unknown
   * @param digest of all keys so far, in their order: two walks with the same digest are at the same position
   */
  constructor(
    private keys = 0,
    private digest = '',
  ) {}

  /** How far the listing has come; undefined where that is unknown, or no longer useful. */
  get listed(): Listed | undefined {
    return this.keys === Infinity ? undefined : { keys: this.keys, digest: this.digest };
  }

  /** Whether this process remembers every key that was listed. */
  get isWhole(): boolean {
    return this.names.size === this.keys;
  }

  /** False where the key was listed before, as far as this process remembers. */
  add(key: string): boolean {
    this.keys++;
    this.digest = hash('sha1', this.digest + key, 'base64');
    return this.names.add(key);
  }

  /** Like `add`, for an ordered listing: its keys are remembered only as long as it is short. */
  addInOrder(key: string, atMost = maxRememberedInOrder): void {
    if (this.keys < atMost) this.add(key);
    else this.miss();
  }

  /** Notes that keys may have been skipped, or are not remembered. */
  miss(): void {
    this.keys = Infinity;
  }

  /** False where the server gave this token before. */
  addToken(token: string): boolean {
    return this.tokens.add(token);
  }

  hasToken(token: string): boolean {
    return this.tokens.has(token);
  }
}
