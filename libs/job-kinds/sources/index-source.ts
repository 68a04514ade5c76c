import { TextDecoder } from 'node:util';
import { compareVersions, LineSet, UfsError, withRetries, type UfsObject } from '#ufs';
import type { FileFailure } from '#contexts/jobs';
import type { SourceFile, SourcePage, SourcePorts } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import { TimeSlice } from './time-slice.js';

/** How far an index has been read. The version pins the file: two versions of an index are never mixed. */
interface IndexCursor {
  offset: number;
  version: string;
}

/** Bytes read at once; also the longest line. */
const chunkBytes = 1024 * 1024;
const linesPerPage = 1000;
const newline = 10;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** 4 Mi lines × 12 bytes at 3/4 load: 64–100 MB at most. Later duplicates are loaded, and counted, again. */
const maxRememberedLines = 4 * 1024 * 1024;

interface Line {
  text: string;
  /** Offset of the byte behind the line and its newline. */
  end: number;
  /** Set where the bytes are not a usable line. */
  fault?: string;
}

/**
 * Reads an index file in ranges, so that it holds neither the file nor a connection while the workers are busy. The
 * file has one path a line; LF or CRLF; a byte-order mark, blank lines and duplicates are ignored. The worker that
 * loads a line finds out what it names: here that would cost a round trip per line.
 */
export async function* indexSource(
  path: string,
  matches: (path: string) => boolean,
  cursor: string,
  ports: SourcePorts,
): AsyncGenerator<SourcePage> {
  const object = await retried(ports, () => ports.connectorFor(path).stat(path, ports.signal));
  const start: IndexCursor =
    cursor === '' ? { offset: 0, version: object.version } : (JSON.parse(cursor) as IndexCursor);
  if (start.offset > 0 && compareVersions(object.version, start.version) !== 'same') throw changed(path);
  const seen = new LineSet(maxRememberedLines);
  const page = new PageBuilder(matches, ports, seen);
  const slice = new TimeSlice();
  for await (const lines of readLines(object, ports)) {
    for (const line of lines) {
      // Lines before the cursor only refill the memory of duplicates.
      if (line.end <= start.offset) {
        page.skip(line);
        continue;
      }
      page.add(line);
      if (slice.isOver) await slice.letOthersIn();
      if (page.lines >= linesPerPage) {
        yield page.take({ offset: line.end, version: object.version }, false);
      }
    }
  }
  yield page.take({ offset: object.sizeBytes, version: object.version }, true);
}

class PageBuilder {
  lines = 0;
  private files: SourceFile[] = [];
  private filtered = 0;
  private rejected: FileFailure[] = [];

  constructor(
    private readonly matches: (path: string) => boolean,
    private readonly ports: SourcePorts,
    private readonly seen: LineSet,
  ) {}

  add({ text, fault }: Line): void {
    this.lines++;
    if (fault !== undefined) {
      this.reject(text, fault);
      return;
    }
    if (text.trim() === '') return;
    const resolved = this.resolve(text);
    const { path } = resolved;
    // Compares what lines name, not their text: a file can be written as a UFS path and as a path in the namespace.
    if (!this.seen.add(path ?? text)) return;
    if (path === undefined) this.reject(text, resolved.refusal);
    else if (this.matches(path)) this.files.push({ path, sizeBytes: -1, version: '' });
    else this.filtered++;
  }

  /** An earlier owner has read this line: it is only remembered. */
  skip({ text, fault }: Line): void {
    if (fault === undefined && text.trim() !== '') this.seen.add(this.resolve(text).path ?? text);
  }

  take(cursor: IndexCursor, done: boolean): SourcePage {
    const { files, filtered, rejected, lines } = this;
    this.files = [];
    this.rejected = [];
    this.filtered = this.lines = 0;
    return { files, filteredFiles: filtered, rejected, seenEntries: lines, cursor: JSON.stringify(cursor), done };
  }

  private resolve(line: string): { path: string } | { path: undefined; refusal: string } {
    try {
      return { path: this.ports.resolve(line) };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return { path: undefined, refusal: error.message };
    }
  }

  private reject(line: string, reason: string): void {
    this.rejected.push({ path: line.slice(0, 1024), reason: reason.slice(0, 300), attempts: 0 });
  }
}

/** The lines of one chunk after another. A promise per line would cost more than everything else. */
async function* readLines(object: UfsObject, ports: SourcePorts): AsyncGenerator<Iterable<Line>> {
  const { path, version, sizeBytes } = object;
  let skippingLongLine = false;
  for (let offset = 0; offset < sizeBytes;) {
    const end = Math.min(offset + chunkBytes, sizeBytes) - 1;
    const { bytes } = await retried(ports, () =>
      ports.connectorFor(path).read(path, {
        start: offset,
        end,
        expectedVersion: version,
        knownSizeBytes: sizeBytes,
        maxBytes: chunkBytes,
        signal: ports.signal,
      }),
    );
    const last = end + 1 === sizeBytes;
    const whole = last ? bytes.length : bytes.lastIndexOf(newline) + 1;
    if (whole > 0) {
      const first = skippingLongLine ? bytes.indexOf(newline) + 1 || bytes.length : 0;
      yield linesOf(bytes.subarray(0, whole), first, offset);
      skippingLongLine = false;
      offset += whole;
    } else {
      const fault = `the line at byte ${offset} is longer than ${chunkBytes} bytes`;
      if (!skippingLongLine) yield [{ text: '', fault, end: end + 1 }];
      skippingLongLine = true;
      offset = end + 1;
    }
  }
}

/** @param offset of the first of `bytes` in the file */
function* linesOf(bytes: Buffer, first: number, offset: number): Generator<Line> {
  for (let from = first; from < bytes.length;) {
    const at = bytes.indexOf(newline, from);
    const to = at < 0 ? bytes.length : at;
    yield { ...decodeLine(bytes.subarray(from, to), offset + from), end: offset + Math.min(to + 1, bytes.length) };
    from = to + 1;
  }
}

function decodeLine(bytes: Buffer, offset: number): { text: string; fault?: string } {
  let line = bytes;
  if (line.at(-1) === 13) line = line.subarray(0, -1);
  if (offset === 0 && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
  try {
    return { text: decoder.decode(line) };
  } catch {
    // The decoder has only this error; its message adds nothing.
    return { text: line.toString('latin1'), fault: `the line at byte ${offset} is not valid UTF-8` };
  }
}

async function retried<T>(ports: SourcePorts, run: () => Promise<T>): Promise<T> {
  return (await withRetries(ports.retry, run, { signal: ports.signal })).value;
}

function changed(path: string): UfsError {
  return new UfsError('Invalid', path, `the index file changed while it was being read: ${path}`);
}
