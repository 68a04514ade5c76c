import { printable } from '../names.js';
import { Parked } from '../parked.js';
import { UfsError, type UfsListOptions, type UfsListPage, type UfsObject } from '../types.js';
import { AheadLimits, type AheadBounds } from './ahead/ahead-limits.js';
import { ReadAhead } from './ahead/read-ahead.js';
import { KeyWalk, maxKeysPerPage, type WalkedPage } from './key-walk.js';
import { decodeCursor, encodeCursor, type ListCursor } from './list-cursor.js';
import type { ListQuery } from './list-request.js';
import type { ListTrail } from './list-trail.js';
import type { KeyPage, ListedEntry } from './list-xml.js';
import type { S3Client } from './s3-client.js';
import { s3OptionTable } from './s3-options.js';
import { keyFault } from './s3-path.js';

const parkedAtMost = 8;
/** A walk may wait long for the workers. */
const parkedForMs = 600_000;

/** What a walk keeps between two pages. */
interface WalkMemory {
  trail: ListTrail;
  ahead?: ReadAhead;
}

export interface ListingPorts {
  client: Pick<S3Client, 'exchange'>;
  bucket: string;
  /** Set by the mount: the store lists in no order. */
  isUnordered: boolean;
  /** The object named exactly so; undefined where there is none. */
  findExact(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined>;
  /** How far walks read ahead. Absent: not at all. */
  ahead?: AheadBounds;
  /** For tests: so many keys show whether a listing is in order. */
  rememberedInOrder?: number;
}

/** Lists a bucket. */
export class BucketListing {
  private readonly walk: KeyWalk;
  private readonly limits: AheadLimits | undefined;
  private isClosed = false;
  private readonly memories = new Parked<WalkMemory>(parkedAtMost, parkedForMs, ({ ahead }) => ahead?.close());

  constructor(private readonly ports: ListingPorts) {
    this.limits = ports.ahead && new AheadLimits(ports.ahead);
    const orderOption = s3OptionTable.unorderedListing.names[0];
    this.walk = new KeyWalk(ports.client, orderOption, undefined, ports.rememberedInOrder);
  }

  async list(path: string, key: string, options: UfsListOptions): Promise<UfsListPage> {
    const limit = Math.min(options.limit ?? maxKeysPerPage, maxKeysPerPage);
    const isDirectory = key === '' || key.endsWith('/');
    const page: UfsListPage = { objects: [], rejected: [], special: [] };
    if (!isDirectory && options.after === undefined) {
      const exact = await this.ports.findExact(path, key, options.signal);
      if (exact !== undefined) page.objects.push(exact);
      if (page.objects.length >= limit) return { ...page, next: encodeCursor(this.start()) };
    }
    const prefix = isDirectory ? key : `${key}/`;
    const cursor = options.after === undefined ? this.start() : decodeCursor(path, options.after);
    const memory = options.after === undefined ? undefined : this.memories.take(prefix, options.after);
    const query = { path, prefix, limit: limit - page.objects.length, signal: options.signal };
    const ahead = this.aheadOf(query, memory);
    const walk = (): Promise<WalkedPage> => this.walk.next(query, cursor, memory?.trail, ahead);
    const walked = await this.goOn(walk, ahead, prefix, options.after, memory);
    this.addEntries(page, path, walked.page);
    if (walked.next === undefined || walked.next.unordered) ahead?.close();
    if (walked.next === undefined) return page;
    const next = encodeCursor(walked.next);
    this.keep(prefix, next, { trail: walked.trail, ahead });
    return { ...page, next };
  }

  /**
   * Finds the object by a listing of the keys that begin with its own: it comes first, where the listing has an order.
   */
  async find(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined> {
    const { isUnordered } = this.ports;
    const query = { path, prefix: key, limit: isUnordered ? maxKeysPerPage : 1, signal };
    for await (const { entries } of this.pages(query)) {
      const found = entries.find((entry) => entry.key === key);
      if (found !== undefined) return objectOf(path, found);
      if (!isUnordered && entries.length > 0) return undefined;
    }
    return undefined;
  }

  /** Whether there is any key in the directory with this name. */
  async hasBelow(path: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    for await (const { entries } of this.pages({ path, prefix, limit: 1, signal })) if (entries.length > 0) return true;
    return false;
  }

  private async *pages(query: ListQuery): AsyncGenerator<KeyPage> {
    let trail: ListTrail | undefined;
    for (let at: ListCursor | undefined = this.start(); at !== undefined;) {
      const walked = await this.walk.next(query, at, trail);
      yield walked.page;
      ({ trail, next: at } = walked);
    }
  }

  close(): void {
    this.isClosed = true;
    this.memories.clear();
  }

  private keep(prefix: string, after: string, memory: WalkMemory): void {
    if (this.isClosed) memory.ahead?.close();
    else this.memories.park(prefix, after, memory);
  }

  private start(): ListCursor {
    return this.ports.isUnordered ? { unordered: true } : {};
  }

  private aheadOf(query: ListQuery, memory: WalkMemory | undefined): ReadAhead | undefined {
    if (this.limits === undefined) return undefined;
    if (memory?.ahead?.suits(query)) return memory.ahead;
    memory?.ahead?.close();
    return new ReadAhead(this.ports.client, query, this.limits);
  }

  /** When a page fails, the state that it took from memory goes back there for the next try. */
  private async goOn<T>(
    walk: () => Promise<T>,
    ahead: ReadAhead | undefined,
    prefix: string,
    after: string | undefined,
    memory: WalkMemory | undefined,
  ): Promise<T> {
    try {
      return await walk();
    } catch (error) {
      const isUntouched = error instanceof UfsError && error.retryable;
      if (isUntouched && after !== undefined && memory !== undefined) {
        this.keep(prefix, after, { trail: memory.trail, ahead });
      } else ahead?.close();
      throw error;
    }
  }

  private addEntries(page: UfsListPage, root: string, { entries }: KeyPage): void {
    for (const entry of entries) {
      const name = entry.key ?? entry.name;
      const path = name === undefined ? root : `s3://${this.ports.bucket}/${name}`;
      const reason = entry.fault ?? keyFault(entry.key);
      if (reason === undefined) page.objects.push(objectOf(path, entry)!);
      else page.rejected.push({ path: entry.key === undefined ? printable(path) : path, reason });
    }
  }
}

function objectOf(path: string, entry: ListedEntry | undefined): UfsObject | undefined {
  if (entry === undefined || entry.fault !== undefined) return undefined;
  return { path, sizeBytes: entry.sizeBytes, version: entry.version };
}
