// Which directories a path is in. A directory is a path cut off before a `/`, from the one after `scheme://authority`
// on: `s3://b/d/f` is in `s3://b` and `s3://b/d`, `file:///d/f` in `file://` and `file:///d`. Of several slashes in a row
// only the first ends a directory, so that no name ends in a slash; segments are not tidied otherwise. What is below a
// directory is therefore exactly what starts with its name and a slash.

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

export interface DirectoryUsage {
  bytes: number;
  objects: number;
}

/** The directory that directly contains a path; undefined at the top. */
export function directoryOf(path: string): string | undefined {
  const authorityAt = SCHEME.exec(path)?.[0].length ?? 0;
  let end = path.lastIndexOf('/');
  while (end > authorityAt && path[end - 1] === '/') end--;
  return end < authorityAt || end <= 0 ? undefined : path.slice(0, end);
}

/** The stored form of a directory's name, for any slashes at its end. */
export function directoryName(path: string): string {
  const authorityAt = SCHEME.exec(path)?.[0].length ?? 0;
  let end = path.length;
  while (end > authorityAt && path[end - 1] === '/') end--;
  return path.slice(0, end);
}

/** Sums changes per directory: many files of one directory cost one update of each directory above them. */
export class DirectoryChanges {
  private readonly direct = new Map<string, DirectoryUsage>();

  add(path: string, bytes: number, objects: number): void {
    const directory = directoryOf(path);
    if (directory !== undefined) accumulate(this.direct, directory, bytes, objects);
  }

  /** The changes at and below every directory. */
  totals(): Map<string, DirectoryUsage> {
    const totals = new Map<string, DirectoryUsage>();
    for (const [directory, { bytes, objects }] of this.direct) {
      if (bytes === 0 && objects === 0) continue;
      for (let at: string | undefined = directory; at !== undefined; at = directoryOf(at)) {
        accumulate(totals, at, bytes, objects);
      }
    }
    return totals;
  }
}

function accumulate(into: Map<string, DirectoryUsage>, directory: string, bytes: number, objects: number): void {
  const sum = into.get(directory);
  if (sum === undefined) {
    into.set(directory, { bytes, objects });
  } else {
    sum.bytes += bytes;
    sum.objects += objects;
  }
}

// A row of the directory index: f64 bytes, f64 objects, little-endian.

export function encodeUsage({ bytes, objects }: DirectoryUsage): Buffer {
  const value = Buffer.allocUnsafe(16);
  value.writeDoubleLE(bytes, 0);
  value.writeDoubleLE(objects, 8);
  return value;
}

export function decodeUsage(value: Buffer | undefined): DirectoryUsage {
  return value === undefined
    ? { bytes: 0, objects: 0 }
    : { bytes: value.readDoubleLE(0), objects: value.readDoubleLE(8) };
}
