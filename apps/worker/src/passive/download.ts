import { Readable } from 'node:stream';
import { Bell, within } from '#async';
import type { CacheStore, CacheWriter } from '#cache-store';
import { CacheFullError, DiskFullError, PathTooLongError } from '#cache-store';
import {
  isSameVersion,
  UfsError,
  withRetries,
  type RetryPolicy,
  type UfsConnector,
  type UfsObject,
  type UfsRead,
} from '#ufs';
import type { Logger } from 'pino';
import { Window } from './window.js';

/** What a download keeps in memory for its readers. */
export const windowBytes = 4 * 1024 * 1024;
/** How many bytes the download may lead its fastest reader by. With the next chunk that still fits the window. */
const leadBytes = windowBytes / 2;
/** A reader that takes nothing for this long no longer delays what goes into the cache. */
const patienceMs = 5_000;
/**
 * A download that does not go into the cache serves its readers alone. It ends when they take nothing for this long.
 */
const uncachedPatienceMs = 60_000;

export interface DownloadPorts {
  cache: CacheStore;
  connector: UfsConnector;
  retry: RetryPolicy;
  /** Whether an object of this size may be put into the cache. */
  mayKeep(object: UfsObject): Promise<boolean>;
  /** The store that the object comes from. */
  store: string | undefined;
  /** Whether the mount that the object is read through still exists, with the same options. */
  isStillMounted(): boolean;
  logger: Logger;
  /** Ends the download for good. */
  signal: AbortSignal;
}

export interface DownloadReader {
  /** Bytes `start` to `end` (exclusive). Fails rather than ending early. Closing the stream leaves the download. */
  stream(object: UfsObject, start: number, end: number): Readable;
  leave(): void;
}

type State = 'running' | 'received' | 'cached' | 'uncached' | 'failed';

/**
 * One object on its way from the UFS to its readers and into the cache. Readers that keep up share a window of the
 * latest bytes. A reader that comes late or falls behind waits until the object is in the cache, or reads on from the
 * UFS where it is not going to be cached. So memory is bounded for any object size and any number of readers, and a
 * reader that leaves or is slow does not keep the object out of the cache.
 */
export class Download {
  /** Rejects with a UfsError when the UFS does not give the object. */
  readonly opened: Promise<UfsObject>;
  /** Resolves when the download has ended completely; never rejects. */
  readonly ended: Promise<void>;
  private readonly window = new Window(windowBytes);
  /** The newest chunk is held back until the next one, or the end, has come: the last bytes mean that all is well. */
  private visible = 0;
  private readonly bell = new Bell();
  private readonly abort = new AbortController();
  private readonly signal: AbortSignal;
  /** Offsets of the readers that follow the window. */
  private readonly followers = new Map<symbol, number>();
  private waitingForCache = 0;
  /** When a reader last took something, on the monotonic clock. */
  private takenAtMs = performance.now();
  private state: State = 'running';
  private failure: unknown;
  private writer: CacheWriter | undefined;

  constructor(
    readonly path: string,
    private readonly ports: DownloadPorts,
  ) {
    this.signal = AbortSignal.any([ports.signal, this.abort.signal]);
    const opening = this.open();
    this.opened = opening.then(({ object }) => object);
    // Readers await it. Without readers, its rejection would be unhandled.
    this.opened.catch(() => undefined);
    this.ended = opening.then((read) => this.run(read)).catch((error: unknown) => this.fail(error));
  }

  /** Every reader that joins must leave. From here on the download knows that it has had a reader. */
  join(): DownloadReader {
    const me = Symbol('reader');
    this.followers.set(me, 0);
    const leave = () => {
      this.followers.delete(me);
      this.bell.sound();
    };
    return {
      stream: (object, start, end) => {
        this.followers.set(me, start);
        this.takenAtMs = performance.now();
        const stream = Readable.from(this.bytes(me, object, start, end), { objectMode: false });
        // Also when it is closed before its first byte was read.
        return stream.once('close', leave);
      },
      leave,
    };
  }

  private async *bytes(me: symbol, object: UfsObject, start: number, end: number): AsyncGenerator<Buffer> {
    for (let offset = start; offset < end;) {
      if (offset < this.window.start) {
        this.followers.delete(me);
        yield* await this.readElsewhere(object, offset, end);
        return;
      }
      if (offset < this.visible) {
        const bytes = this.window.slice(offset, Math.min(end, this.visible));
        offset += bytes.length;
        this.followers.set(me, offset);
        this.takenAtMs = performance.now();
        this.bell.sound();
        yield bytes;
        continue;
      }
      if (this.state === 'failed') throw this.failure;
      await this.bell.wait();
    }
  }

  /** From the cache, once the object is there; else from the UFS, if it still has the same version. */
  private async readElsewhere(object: UfsObject, start: number, end: number): Promise<AsyncIterable<Buffer>> {
    this.waitingForCache++;
    this.bell.sound();
    try {
      while (this.writer && (this.state === 'running' || this.state === 'received')) await this.bell.wait();
    } finally {
      this.waitingForCache--;
    }
    if (this.state === 'failed') throw this.failure;
    const { cache, connector, signal } = this.ports;
    const read = this.ports.isStillMounted() ? cache.read(this.path) : undefined;
    if (read && isSameVersion(read.entry, object)) {
      const whole = start === 0 && end === object.sizeBytes;
      return read.stream(whole ? undefined : { start, end: end - 1 }) as AsyncIterable<Buffer>;
    }
    await read?.close();
    const { sizeBytes: knownSizeBytes, version: expectedVersion } = object;
    const options = { start, end: end - 1, expectedVersion, knownSizeBytes, signal };
    const { value } = await withRetries(this.ports.retry, () => connector.open(this.path, options), { signal });
    return value.body;
  }

  private async open(): Promise<UfsRead> {
    const { connector, retry } = this.ports;
    const { signal } = this;
    const { value } = await withRetries(retry, () => connector.open(this.path, { signal }), { signal });
    return value;
  }

  private async run({ object, body }: UfsRead): Promise<void> {
    try {
      this.writer = await this.createWriter(object);
      for await (const chunk of body) {
        this.visible = this.window.received;
        this.window.push(chunk);
        if (this.writer) await this.write(chunk);
        this.bell.sound();
        await this.waitForReaders();
      }
      if (this.window.received !== object.sizeBytes) {
        throw new UfsError('Truncated', this.path, `${this.window.received} of ${object.sizeBytes} bytes came`);
      }
      this.signal.throwIfAborted();
      this.visible = this.window.received;
      this.enter('received');
      await this.commit();
    } catch (error) {
      await this.writer?.abort();
      throw error;
    } finally {
      // Also ends the transfer at the UFS, however the connector treats an abandoned body.
      this.abort.abort();
    }
  }

  private async createWriter(object: UfsObject): Promise<CacheWriter | undefined> {
    const { cache } = this.ports;
    if (!(await this.ports.mayKeep(object))) return undefined;
    try {
      return await cache.create(
        { path: this.path, store: this.ports.store, version: object.version, replicas: 1 },
        object.sizeBytes,
      );
    } catch (error) {
      return this.notKept(error);
    }
  }

  private async write(chunk: Buffer): Promise<void> {
    try {
      await this.writer?.write(chunk);
    } catch (error) {
      this.writer = this.notKept(error);
    }
  }

  private async commit(): Promise<void> {
    try {
      if (this.ports.isStillMounted()) await this.writer?.commit();
      else this.writer = await this.writer?.abort().then(() => undefined);
    } catch (error) {
      this.writer = this.notKept(error);
    }
    this.enter(this.writer ? 'cached' : 'uncached');
  }

  /** Faults of the cache are no faults for the readers. */
  private notKept(error: unknown): undefined {
    const { path } = this;
    const { logger } = this.ports;
    const reason = (error as Error).message;
    const noRoom = [CacheFullError, DiskFullError, PathTooLongError].some((type) => error instanceof type);
    // A full cache is ordinary, and can be met at every read.
    if (noRoom) logger.debug({ path, reason }, 'an object that was read could not be kept');
    else logger.error({ err: error, path }, 'an object that was read could not be kept');
  }

  /**
   * Keeps to the pace of the fastest reader; the others can only fall behind it. Does not wait while a reader waits for
   * the cache.
   * @throws UfsError when no reader is left, or none takes bytes, and the object does not go into the cache
   */
  private async waitForReaders(): Promise<void> {
    for (;;) {
      if (!this.writer && this.followers.size === 0) {
        throw new UfsError('Aborted', this.path, 'no reader is left');
      }
      const fastest = Math.max(...this.followers.values());
      if (this.followers.size === 0 || this.window.received - fastest < leadBytes) return;
      if (this.writer && this.waitingForCache > 0) return;
      const leftMs = (this.writer ? patienceMs : uncachedPatienceMs) - (performance.now() - this.takenAtMs);
      if (leftMs <= 0 && this.writer) return;
      if (leftMs <= 0) throw new UfsError('Timeout', this.path, 'the reader has stopped reading');
      await within(this.bell.wait(), leftMs);
      this.signal.throwIfAborted();
    }
  }

  private enter(state: State): void {
    this.state = state;
    this.bell.sound();
  }

  private fail(error: unknown): void {
    this.failure = error;
    this.enter('failed');
    if (!(error instanceof UfsError) && !this.signal.aborted) {
      this.ports.logger.error({ err: error, path: this.path }, 'fetching an object for a reader failed');
    }
  }
}
