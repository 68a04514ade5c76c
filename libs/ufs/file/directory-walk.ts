import type { Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { SpecialKind } from '../types.js';
import { entryFault, isLinkLoop, isVanished, toUfsError } from './file-errors.js';
import { sortYielding } from './yielding-sort.js';
import { nameFault, toDisplay, toSystemPath, type PathBytes } from './path-bytes.js';

/** One name that the walk met, in listing order. The caller inspects what it is now. */
export interface WalkEntry {
  /** Path below the start directory. */
  name: PathBytes;
  /** `unloadable` has the reason; a directory of such a name is not read. */
  kind: 'file' | 'link' | 'unloadable' | SpecialKind;
  reason?: string;
}

/** A directory on the current path. It holds only its own names, not those of its siblings or children. */
interface Frame {
  /** '' for the start directory, else ends with `/`. */
  prefix: PathBytes;
  entries: readonly SortableName[];
  next: number;
}

/**
 * A name with its kind as a suffix, so that a plain sort gives listing order. Directories end with `/` and sort by it.
 * NUL sorts below everything and occurs in no name, so `a` stays before `a.txt`.
 */
type SortableName = string;
const suffixLength = { directory: 1, other: 2 } as const;

/**
 * Follows a directory's name in a position: the directory was reported as one that cannot be entered. NUL occurs in no
 * name.
 */
const given = '\0';
/** How many directories one page may enter: keeps a page short in a tree of empty directories. */
const directoriesPerPage = 1000;
/** Names read from the system at a time. */
const namesPerRead = 1024;

/**
 * Walks a tree depth first, ascending by the bytes of the full path, and can begin after any position. It holds no
 * handle between two pages, follows no symbolic link, and may be dropped at any time.
 */
export class DirectoryWalk {
  private readonly frames: Frame[] = [];
  private started = false;

  /**
   * @param start the real absolute path (no symbolic link in it) of the directory, without trailing `/`
   * @param position the walk begins with the first name after it; '' for all. Also where the last page ended.
   * @param startUri names the directory in errors, without trailing `/`
   */
  constructor(
    readonly start: PathBytes,
    private position: PathBytes,
    private readonly startUri: string,
  ) {}

  /** Pass it to another walk of the same directory to continue from here. */
  get cursor(): PathBytes {
    return this.position;
  }

  get done(): boolean {
    return this.started && this.frames.length === 0;
  }

  /** The next entries, at most `limit`. Fewer, or none, do not mean the end: only `done` does. */
  async next(limit: number, onProgress: () => void): Promise<WalkEntry[]> {
    const found: WalkEntry[] = [];
    let entered = 0;
    if (!this.started) {
      await this.enter('', found, onProgress);
      this.started = true;
    }
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      const entry = frame.entries[frame.next];
      if (entry === undefined) {
        this.frames.pop();
      } else if (found.length >= limit || entered >= directoriesPerPage) {
        break;
      } else {
        frame.next++;
        entered += await this.visit(frame.prefix, entry, found, onProgress);
      }
    }
    return found;
  }

  /** @returns how many directories were newly entered, 0 or 1 */
  private async visit(prefix: PathBytes, entry: SortableName, found: WalkEntry[], onProgress: () => void) {
    if (!entry.endsWith('/')) {
      const leaf = entry.slice(0, -suffixLength.other);
      this.position = prefix + leaf;
      found.push({ name: prefix + leaf, ...describe(leaf, entry) });
      return 0;
    }
    const directory = prefix + entry;
    if (this.position.startsWith(directory)) {
      // An earlier page was here: enter again and continue where it ended, unless it reported that it cannot enter.
      const isGiven = this.position === directory + given || nameFault(entry) !== undefined;
      if (!isGiven) await this.enter(directory, found, onProgress);
      return 0;
    }
    this.position = directory;
    const reason = nameFault(entry);
    if (reason === undefined) await this.enter(directory, found, onProgress);
    else this.giveUp(directory, reason, found);
    return 1;
  }

  /** One entry stands for everything in the directory. The position records that it was reported. */
  private giveUp(directory: PathBytes, reason: string, found: WalkEntry[]): void {
    this.position = directory + given;
    found.push({ name: directory, kind: 'unloadable', reason });
  }

  private async enter(prefix: PathBytes, found: WalkEntry[], onProgress: () => void): Promise<void> {
    const directory = prefix === '' ? this.start : `${this.start === '/' ? '' : this.start}/${prefix.slice(0, -1)}`;
    try {
      const unsorted = await readNames(directory, onProgress);
      // Between listing the parent and reading it, the directory may have become a link to elsewhere.
      if ((await fs.realpath(toSystemPath(directory), 'latin1')) !== directory) {
        if (prefix !== '') this.giveUp(prefix, 'The directory was replaced by a link during the walk.', found);
        return;
      }
      const names = await sortYielding(unsorted, onProgress);
      this.frames.push({ prefix, entries: names, next: firstAfter(names, prefix, this.position) });
    } catch (error) {
      if (prefix === '' && (isVanished(error) || isLinkLoop(error))) return;
      const reason = prefix === '' ? undefined : entryFault(error, 'directory');
      if (reason === undefined) throw toUfsError(error, `${this.startUri}/${toDisplay(prefix)}`);
      this.giveUp(prefix, reason, found);
    }
  }
}

const kindOf = { f: 'file', l: 'link', p: 'fifo', s: 'socket', d: 'device', o: 'other' } as const;

function letterOf(entry: Dirent): keyof typeof kindOf {
  if (entry.isFile()) return 'f';
  if (entry.isSymbolicLink()) return 'l';
  if (entry.isFIFO()) return 'p';
  if (entry.isSocket()) return 's';
  return entry.isBlockDevice() || entry.isCharacterDevice() ? 'd' : 'o';
}

function describe(leaf: PathBytes, entry: SortableName): Pick<WalkEntry, 'kind' | 'reason'> {
  const reason = nameFault(leaf);
  if (reason !== undefined) return { kind: 'unloadable', reason };
  return { kind: kindOf[entry.at(-1) as keyof typeof kindOf] };
}

async function readNames(directory: PathBytes, onProgress: () => void): Promise<SortableName[]> {
  const names: SortableName[] = [];
  // 'buffer' works at run time (entries whose type the file system does not give need it), but has no type.
  const encoding = 'buffer' as BufferEncoding;
  for await (const entry of await fs.opendir(toSystemPath(directory), {
    encoding,
    bufferSize: namesPerRead,
  })) {
    const name = (entry.name as unknown as Buffer).toString('latin1');
    if (entry.isDirectory()) names.push(`${name}/`);
    else names.push(`${name}\0${letterOf(entry)}`);
    if (names.length % namesPerRead === 0) onProgress();
  }
  return names;
}

/** Index of the first entry that lies after `position`, or that is a directory on the way to it. */
function firstAfter(entries: readonly SortableName[], prefix: PathBytes, position: PathBytes): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBehind(prefix, entries[middle] ?? '', position)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isBehind(prefix: PathBytes, entry: SortableName, position: PathBytes): boolean {
  if (!entry.endsWith('/')) return prefix + entry.slice(0, -suffixLength.other) <= position;
  return prefix + entry <= position && !position.startsWith(prefix + entry);
}
