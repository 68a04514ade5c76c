import { createHash } from 'node:crypto';
import { Parked } from '../parked.js';
import { guarded, type ProgressGuard } from '../progress-guard.js';
import {
  UfsError,
  type ContentHash,
  type UfsConnector,
  type UfsListOptions,
  type UfsListPage,
  type UfsObject,
  type UfsRead,
  type UfsReadOptions,
  type UfsTuning,
} from '../types.js';
import { readFileBlocking } from './blocking-read.js';
import { DirectoryWalk, type WalkEntry } from './directory-walk.js';
import { entryFault, isNameTooLong, isVanished, toUfsError } from './file-errors.js';
import { isDirectory, openFile, readFile } from './file-reader.js';
import { inspect, versionOf, type Found } from './inspect.js';
import { isLocalFileSystem } from './local-file-system.js';
import { openLocalFile } from './local-file.js';
import { MountRoot, type FilePath } from './mount-root.js';

import { toDisplay, toSystemPath, toText, type PathBytes } from './path-bytes.js';

const defaultPageLimit = 1000;
/** To continue in the middle of a directory of a million names, all of them must be read again. */
const parkedAtMost = 8;
const parkedForMs = 60_000;
/** More would only queue for libuv's threads. */
const concurrentStats = 16;

/**
 * `file://`: the tree below one directory. Regular files are the objects. README.md describes the other kinds of
 * entries.
 */
export class FileConnector implements UfsConnector {
  readonly readsParts = false;
  private readonly root: MountRoot;
  private readonly parkedWalks = new Parked<DirectoryWalk>(parkedAtMost, parkedForMs);
  private local: boolean | undefined;

  constructor(
    rootUri: string,
    private readonly tuning: UfsTuning,
  ) {
    this.root = new MountRoot(rootUri);
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsListPage> {
    const start = this.root.parse(path);
    const limit = options.limit ?? defaultPageLimit;
    return await this.guarded(start, options.signal, async (guard) => {
      if (options.after === undefined) return await this.firstPage(start, limit, guard);
      const walk = this.parkedWalks.take(start.uri, options.after) ?? (await this.resume(start, options.after));
      return walk === undefined ? emptyPage() : await this.walkPage(start, walk, limit, guard);
    });
  }

  async stat(path: string, signal?: AbortSignal): Promise<UfsObject> {
    const parsed = this.root.parse(path);
    return await this.guarded(parsed, signal, async () => {
      const found = await inspect(this.root, await this.root.resolveParent(parsed));
      switch (found.kind) {
        case 'object':
          if (parsed.endsWithSlash) throw new UfsError('NotFound', path, `There is no such directory: ${path}.`);
          return toObject(parsed.uri, found);
        case 'directory':
          throw isDirectory(path);
        case 'special':
          throw new UfsError('Invalid', path, `The path is no regular file: ${path}.`);
        case 'rejected':
          throw new UfsError('Outside', path, `${found.reason.slice(0, -1)}: ${path}.`);
      }
    });
  }

  async exists(path: string, signal?: AbortSignal): Promise<boolean> {
    const parsed = this.root.parse(path);
    try {
      return await this.guarded(parsed, signal, async () => {
        const found = await inspect(this.root, await this.root.resolveParent(parsed));
        return found.kind === 'directory' || (found.kind === 'object' && !parsed.endsWithSlash);
      });
    } catch (error) {
      if (error instanceof UfsError && error.code === 'NotFound') return false;
      throw error;
    }
  }

  async open(path: string, options: UfsReadOptions = {}): Promise<UfsRead> {
    return await openFile(this.root, this.root.parse(path), options, this.tuning.idleTimeoutMs);
  }

  async read(path: string, options: UfsReadOptions & { maxBytes: number }) {
    const parsed = this.root.parse(path);
    if (this.tuning.blockingReads === true && options.signal?.aborted !== true && (await this.isLocal())) {
      const done = readFileBlocking(this.root, parsed, options);
      if (done !== undefined) return done;
    }
    return await readFile(this.root, parsed, options, this.tuning.idleTimeoutMs);
  }

  async openLocal(path: string, options: Pick<UfsReadOptions, 'expectedVersion' | 'signal'> = {}) {
    const parsed = this.root.parse(path);
    if (this.tuning.blockingReads !== true || !(await this.isLocal())) return undefined;
    return await openLocalFile(this.root, parsed, options, this.tuning.idleTimeoutMs);
  }

  /** Asked once: the file system does not change under a mount. */
  private async isLocal(): Promise<boolean> {
    this.local ??= await isLocalFileSystem(toSystemPath(await this.root.realPath()));
    return this.local;
  }

  async contentHash(object: UfsObject, signal?: AbortSignal): Promise<ContentHash> {
    const { body } = await this.open(object.path, { expectedVersion: object.version, signal });
    const md5 = createHash('md5');
    for await (const chunk of body) md5.update(chunk);
    return { algorithm: 'md5', hex: md5.digest('hex') };
  }

  close(): Promise<void> {
    this.parkedWalks.clear();
    return Promise.resolve();
  }

  private async guarded<T>(
    path: FilePath,
    signal: AbortSignal | undefined,
    operation: (guard: ProgressGuard) => Promise<T>,
  ): Promise<T> {
    try {
      return await guarded(path.uri, this.tuning.idleTimeoutMs, signal, operation);
    } catch (error) {
      throw toUfsError(error, path.uri);
    }
  }

  private async firstPage(start: FilePath, limit: number, guard: ProgressGuard): Promise<UfsListPage> {
    const found = await this.findStart(start);
    if (found === undefined) return emptyPage();
    if (found.kind === 'directory') {
      return await this.walkPage(start, new DirectoryWalk(found.real, '', start.uri), limit, guard);
    }
    return toPage([{ path: start.uri, found }]);
  }

  private async resume(start: FilePath, cursor: string): Promise<DirectoryWalk | undefined> {
    const position = decodeCursor(start.uri, cursor);
    const found = await this.findStart(start);
    return found?.kind === 'directory' ? new DirectoryWalk(found.real, position, start.uri) : undefined;
  }

  /** Where a listing starts: `real` is the directory to walk. Undefined when the path names nothing. */
  private async findStart(
    start: FilePath,
  ): Promise<Exclude<Found, { kind: 'directory' }> | DirectoryStart | undefined> {
    if (this.root.isRoot(start)) return { kind: 'directory', real: await this.root.realPath(true) };
    await this.root.realPath(true);
    try {
      const real = await this.root.resolveParent(start);
      const found = await inspect(this.root, real);
      if (found.kind === 'directory') return { kind: 'directory', real };
      return start.endsWithSlash && found.kind !== 'special' ? undefined : found;
    } catch (error) {
      if (isVanished(error) || isNameTooLong(error)) return undefined;
      throw error;
    }
  }

  private async walkPage(start: FilePath, walk: DirectoryWalk, limit: number, guard: ProgressGuard) {
    const entries = await walk.next(limit, () => guard.beat());
    const real = walk.start === '/' ? '' : walk.start;
    const looks = await mapConcurrently(entries, concurrentStats, async (entry) => {
      guard.beat();
      return await this.look(start, real, entry);
    });
    const page = toPage(looks.filter((look) => look !== undefined));
    if (walk.done) return page;
    const next = encodeCursor(walk.cursor);
    this.parkedWalks.park(start.uri, next, walk);
    return { ...page, next };
  }

  private async look(start: FilePath, realStart: PathBytes, entry: WalkEntry): Promise<Look | undefined> {
    const prefix = start.uri === 'file://' ? 'file:///' : `${start.uri}/`;
    if (entry.kind === 'unloadable') {
      return { path: prefix + toDisplay(entry.name), found: { kind: 'rejected', reason: entry.reason ?? '' } };
    }
    const path = prefix + (toText(entry.name) ?? toDisplay(entry.name));
    if (entry.kind !== 'file' && entry.kind !== 'link') {
      return { path, found: { kind: 'special', special: entry.kind } };
    }
    try {
      const found = await inspect(this.root, `${realStart}/${entry.name}`);
      // A file that has just become a directory is left to the next walk.
      return found.kind === 'directory' ? undefined : { path, found };
    } catch (error) {
      if (isVanished(error)) return undefined;
      const reason = entryFault(error, 'file');
      if (reason === undefined) throw toUfsError(error, path);
      return { path, found: { kind: 'rejected', reason } };
    }
  }
}

interface DirectoryStart {
  kind: 'directory';
  real: PathBytes;
}

interface Look {
  path: string;
  found: Exclude<Found, { kind: 'directory' }>;
}

function emptyPage(): UfsListPage {
  return { objects: [], rejected: [], special: [] };
}

function toPage(looks: readonly Look[]): UfsListPage {
  const page = emptyPage();
  for (const { path, found } of looks) {
    if (found.kind === 'object') page.objects.push(toObject(path, found));
    else if (found.kind === 'rejected') page.rejected.push({ path, reason: found.reason });
    else page.special.push({ path, kind: found.special });
  }
  return page;
}

function toObject(path: string, found: Extract<Found, { kind: 'object' }>): UfsObject {
  return { path, sizeBytes: Number(found.stats.size), version: versionOf(found.stats) };
}

/** The position's bytes, which need not be valid UTF-8, in a form that survives JSON. */
function encodeCursor(position: PathBytes): string {
  return Buffer.from(position, 'latin1').toString('base64url');
}

function decodeCursor(path: string, cursor: string): PathBytes {
  if (!/^[\w-]+$/.test(cursor))
    throw new UfsError('Invalid', path, 'The listing position is not one of this connector.');
  return Buffer.from(cursor, 'base64url').toString('latin1');
}

async function mapConcurrently<T, R>(items: readonly T[], width: number, task: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}
