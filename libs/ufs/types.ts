/**
 * The interface of every under-file-system (UFS) connector.
 *
 * Paths are UFS URIs taken literally: `s3://bucket/key` and `file:///absolute/path`. Nothing is percent-decoded or
 * Unicode-normalised, so `a%2Fb`, `a+b` and both normal forms of `é` are distinct names that round-trip byte for byte.
 * All orders are ascending by the UTF-8 bytes of the whole path.
 */

/** One loadable object: a regular file or an S3 object. */
export interface UfsObject {
  /** Full UFS path. */
  path: string;
  sizeBytes: number;
  /**
   * Token that differs whenever the content may differ. Compare it only by `compareVersions` (`version.ts`): one
   * version may have two names, one from a listing and one from a read. File: `<mtimeNs>-<sizeBytes>-<inode>`.
   */
  version: string;
}

/** A listed name that can never be loaded, with the reason as a sentence for the user. */
export interface RejectedName {
  path: string;
  reason: string;
}

/** Entries that a listing skips because they hold no data of their own. */
export type SpecialKind = 'directoryLink' | 'fifo' | 'socket' | 'device' | 'other';

export interface SpecialFile {
  path: string;
  kind: SpecialKind;
}

export interface UfsListPage {
  objects: UfsObject[];
  /** Names that count as failed: not valid UTF-8, control characters, `.`/`..` segments, links that leave the root. */
  rejected: RejectedName[];
  /** Entries that were skipped because they hold no data of their own. A link to a directory is not followed. */
  special: SpecialFile[];
  /**
   * Opaque. Pass it as `after`, with the same path, to continue, also from another process. Absent on the last page.
   */
  next?: string;
}

export interface UfsListOptions {
  after?: string;
  /** Upper bound for objects in a page; a connector may return fewer, also none with `next` set. */
  limit?: number;
  signal?: AbortSignal;
}

export interface UfsReadOptions {
  /** Fails with `Changed` unless the object read has this version, from its first byte to its last. */
  expectedVersion?: string;
  /**
   * The object's size, for servers that do not give it. Where they give another size, the read fails with `Changed`.
   */
  knownSizeBytes?: number;
  /** First byte, default 0. */
  start?: number;
  /** Last byte, inclusive; default: the end. */
  end?: number;
  signal?: AbortSignal;
}

export interface UfsWholeReadOptions extends UfsReadOptions {
  maxBytes: number;
  into?: Buffer;
}

/**
 * `body` fails with `Truncated` when it ends early and with `Changed` when the object changed during the read. It holds
 * a connection or an open file until it has been iterated (to its end, or left with `break`) or the signal aborts: do
 * one of the two. It can be iterated once.
 */
export interface UfsRead {
  object: UfsObject;
  body: AsyncIterable<Buffer>;
}

/** An open file of a local file system. Calls on its descriptor may take milliseconds but do not hang. */
export interface UfsLocalFile {
  object: UfsObject;
  fd: number;
  /** Fails with `Changed` when the file has changed since it was opened. To be called after the last byte was read. */
  confirm(): Promise<void>;
  /** What an error of reading the descriptor means; RangeError stands for an early end. */
  faultOf(error: unknown): unknown;
  /** Call this when no read of the descriptor is under way any more. */
  close(): Promise<void>;
}

export interface ContentHash {
  algorithm: 'md5';
  hex: string;
}

export interface UfsConnector {
  /** Whether several reads of parts of one object are faster than one read of the whole. */
  readonly readsParts: boolean;
  /**
   * The object named exactly `path` (unless `path` ends with `/`), then everything below `path/`. Never matches a mere
   * string prefix: `/dir` does not list `/directory`. A path that names nothing gives an empty last page.
   */
  list(path: string, options?: UfsListOptions): Promise<UfsListPage>;
  /** @throws UfsError `NotFound`, `IsDirectory`, … */
  stat(path: string, signal?: AbortSignal): Promise<UfsObject>;
  /**
   * True when `path` names an object, or a directory even if it is empty. S3: at least one key below it, or the bucket
   * itself. False also when the mount's root does not exist.
   */
  exists(path: string, signal?: AbortSignal): Promise<boolean>;
  /** The bytes as a stream. */
  open(path: string, options?: UfsReadOptions): Promise<UfsRead>;
  /**
   * Opens the object as a file whose descriptor other threads may read. Absent, or undefined, where it is none of a local
   * file system: use `open`.
   */
  openLocal?(
    path: string,
    options?: Pick<UfsReadOptions, 'expectedVersion' | 'signal'>,
  ): Promise<UfsLocalFile | undefined>;
  /**
   * A whole small object, or a part of one, in one buffer: the fast path. `maxBytes` limits the size (`TooLarge` beyond).
   * @param options `into`: a buffer of at least `maxBytes` that a connector may put the bytes into. Until the promise
   *   settles, and while `bytes` are used, it must not be used for anything else.
   */
  read(path: string, options: UfsWholeReadOptions): Promise<{ object: UfsObject; bytes: Buffer }>;
  /**
   * A hash of the UFS content to compare cached bytes with. Undefined where the UFS cannot give one without
   * transferring the whole object. S3: the ETag where it has the form of an MD5. File: computed by reading.
   */
  contentHash(object: UfsObject, signal?: AbortSignal): Promise<ContentHash | undefined>;
  close(): Promise<void>;
}

export type UfsErrorCode =
  | 'NotFound'
  | 'Forbidden'
  | 'IsDirectory'
  | 'Changed'
  | 'Truncated'
  | 'Timeout'
  | 'Throttled'
  | 'Unavailable'
  | 'TooLarge'
  | 'Outside'
  | 'Invalid'
  | 'Aborted';

const retryableCodes: ReadonlySet<UfsErrorCode> = new Set([
  'Changed',
  'Truncated',
  'Timeout',
  'Throttled',
  'Unavailable',
]);

/**
 * What an error is the fault of. `store`: the store as a whole (it asks to slow down, or cannot be reached). `unclear`:
 * the store or the one object. Absent: the object or the request, or unknown.
 */
export type Blame = 'store' | 'unclear';

export interface UfsErrorOptions {
  cause?: unknown;
  blame?: Blame;
  /** How long the store asks clients to wait. */
  retryAfterMs?: number;
}

/** A fault at the UFS. The message is one sentence for the user and holds no secret. */
export class UfsError extends Error {
  override readonly name = 'UfsError';
  readonly blame: Blame | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: UfsErrorCode,
    readonly path: string,
    message: string,
    { blame, retryAfterMs, ...options }: UfsErrorOptions = {},
  ) {
    super(message, options);
    this.blame = blame;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request can succeed later. `Changed` can only succeed with a fresh version. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }
}

/** How to reach a UFS: the mount's URI (`s3://bucket/`, `file:///dir/`) and its options with secrets in clear. */
export interface UfsLocation {
  ufs: string;
  options: Record<string, string>;
}

export interface UfsTuning {
  /** A read or a response that brings no byte for this long fails with `Timeout`. */
  idleTimeoutMs: number;
  connectTimeoutMs: number;
  /** Upper bound of connections to one endpoint. */
  maxConnections: number;
  /**
   * Read files with blocking calls where the mount is on a local file system (a network file system may hang): small ones
   * at once, which costs a quarter of the CPU of asynchronous calls, and large ones in threads. For processes whose event loop may stop for milliseconds, so
   * not for coordinators.
   */
  blockingReads?: boolean;
}
