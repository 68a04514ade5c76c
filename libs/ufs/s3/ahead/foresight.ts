import { compareUtf8 } from '../../names.js';
import { directoryOf, KnownDirectories, parentOf, withoutSlash, type DirectoryQuery } from './directories.js';
import { KeyScale } from './key-scale.js';

/** What the keys of one page tell of those to come. */
export interface Lesson {
  scale?: KeyScale;
  /** The scale counts within this directory; absent where it counts across directories. */
  directory?: string;
  /** Keys of a directory, where the page has several. */
  keysEach: number;
}

const rememberedEnds = 100;
/** A directory with at least this share of a page's keys tells how keys go on. */
const tellingShare = 1 / 8;

/**
 * Guesses where in the listing so many more keys will have been listed: by the names in the same directory, and by the
 * directories that come after it.
 */
export class Foresight {
  private readonly directories = new KnownDirectories();
  /** The last name in the directory that ended last. Directories side by side are often alike. */
  private usualEnd: string | undefined;
  /** Directories that have no key behind a text; the latest few. */
  private readonly ends = new Map<string, string>();

  constructor(private readonly prefix: string) {}

  /** A probe has found that no key lies between two texts. */
  sawGap(from: string, to: string): void {
    const directory = directoryOf(from);
    if (to.startsWith(directory)) return;
    const known = this.ends.get(directory);
    if (known === undefined || from < known) this.ends.set(directory, from);
    if (this.ends.size > rememberedEnds) this.ends.delete(this.ends.keys().next().value!);
  }

  /** @param keys of a page, in order, with the key before it */
  learn(keys: readonly string[]): Lesson {
    const enough = Math.max(2, keys.length * tellingShare);
    let directories = 1;
    let end = keys.length;
    let telling: readonly string[] | undefined;
    let directory = '';
    let own = directoryOf(keys.at(-1) ?? '');
    for (let start = keys.length - 1; start >= 0; start--) {
      const before = start > 0 ? directoryOf(keys[start - 1]) : undefined;
      if (before === own) continue;
      // Of the directories on the page, the last one with many keys.
      if (telling === undefined && end - start >= enough) [telling, directory] = [keys.slice(start, end), own];
      if (before === undefined) break;
      if (directories++ === 1 && before !== '') this.usualEnd = keys[start - 1].slice(before.length);
      own = before;
      end = start;
    }
    const keysEach = directories === 1 ? Infinity : keys.length / directories;
    if (telling === undefined) return { scale: KeyScale.of(keys, this.prefix.length), keysEach };
    return { scale: KeyScale.of(telling, directory.length), keysEach, directory };
  }

  /** A text that about `step` keys after `key` come before; undefined where nothing tells. */
  after(key: string, step: number, lesson: Lesson): string | undefined {
    const guess = this.guess(key, step, lesson);
    return guess !== undefined && guess.startsWith(this.prefix) && compareUtf8(guess, key) > 0 ? guess : undefined;
  }

  /** What should be asked for, to know the directories after that of this key. */
  missing(key: string): DirectoryQuery | undefined {
    const directory = directoryOf(key);
    return directory.length <= this.prefix.length ? undefined : this.directories.missing(directory);
  }

  addDirectories(query: DirectoryQuery, names: readonly string[], isWhole: boolean): void {
    this.directories.add(query, names, isWhole);
  }

  private guess(key: string, step: number, lesson: Lesson): string | undefined {
    const directory = directoryOf(key);
    const { scale, keysEach } = lesson;
    if (scale === undefined || lesson.directory === undefined) {
      const skipped = keysEach === Infinity ? 1 : Math.max(1, Math.floor(step / keysEach));
      return this.beside(directory, skipped) ?? scale?.after(key, step);
    }
    if (directory !== lesson.directory && parentOf(directory) !== parentOf(lesson.directory)) return undefined;
    const name = scale.head.slice(lesson.directory.length);
    const head = directory + name;
    const from = key.startsWith(head) ? key : head;
    const guess = scale.after(from, step, head);
    const end = this.usualEnd === undefined ? undefined : directory + this.usualEnd;
    const known = this.ends.get(directory);
    if (end === undefined || key > end) {
      const isIn = guess !== undefined && (known === undefined || guess < known);
      return isIn ? guess : this.beside(directory, 1);
    }
    const left = scale.count(from, end, head) ?? 0;
    if (guess !== undefined && guess < (known ?? end) && left > step) return guess;
    // Directories side by side are often alike, so the guess is as far within the next one.
    const each = Math.max(1, scale.count(head, end, head) ?? 1);
    const more = Math.max(0, step - left);
    const next = this.beside(directory, 1 + Math.floor(more / each));
    const isKnown = next?.endsWith('/') === true;
    const within = isKnown ? scale.after(next + name, more % each, next + name) : undefined;
    return within ?? next;
  }

  private beside(directory: string, count: number): string | undefined {
    if (directory.length <= this.prefix.length) return undefined;
    const next = this.directories.next(directory, count);
    if (next !== undefined) return next;
    const parent = parentOf(directory);
    if (parent.length <= this.prefix.length || !this.directories.isLast(directory)) return undefined;
    // `0` comes after `/`: the parent is passed, whatever comes after it.
    return `${withoutSlash(parent)}0`;
  }
}
