import { compareUtf8 } from '../../names.js';

/** The directory that a key lies in, with its `/`; '' at the top. */
export function directoryOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

/** The directory above one. */
export function parentOf(directory: string): string {
  return directory === '' ? '' : directory.slice(0, directory.lastIndexOf('/', directory.length - 2) + 1);
}

/** The directories of a parent that come after one of them. */
export interface DirectoryQuery {
  parent: string;
  /** Greater than this text. */
  after: string;
}

/** Names of directories that a listing with a delimiter gave, for the one parent that is looked at. */
export class KnownDirectories {
  private parent: string | undefined;
  private after = '';
  private names: readonly string[] = [];
  private isWhole = false;

  add({ parent, after }: DirectoryQuery, names: readonly string[], isWhole: boolean): void {
    this.parent = parent;
    this.after = after;
    this.names = [...names].sort(compareUtf8);
    this.isWhole = isWhole;
  }

  /** What to ask for before the directories after this one are known; undefined where they are, or where there are none. */
  missing(directory: string): DirectoryQuery | undefined {
    const query = { parent: parentOf(directory), after: withoutSlash(directory) };
    if (query.parent !== this.parent || compareUtf8(query.after, this.after) < 0) return query;
    const last = this.names.at(-1);
    if (this.isWhole || last === undefined || compareUtf8(directory, last) < 0) return undefined;
    // The same answer would come again.
    return query.after === this.after ? undefined : query;
  }

  /** Whether no directory of the same parent comes after this one. */
  isLast(directory: string): boolean {
    return this.isWhole && this.missing(directory) === undefined && this.next(directory, 1) === undefined;
  }

  /** The directory that comes so many after this one; undefined where it is unknown. */
  next(directory: string, count: number): string | undefined {
    if (parentOf(directory) !== this.parent || compareUtf8(withoutSlash(directory), this.after) < 0) return undefined;
    let low = 0;
    let high = this.names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUtf8(this.names[middle], directory) <= 0) low = middle + 1;
      else high = middle;
    }
    return this.names[low + count - 1];
  }
}

/** As a position it comes before the directory's keys, and before those of names such as `<directory>.txt`. */
export function withoutSlash(directory: string): string {
  return directory.replace(/\/$/, '');
}
