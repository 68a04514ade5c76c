import { open, rm, truncate, type FileHandle } from 'node:fs/promises';
import { PRIVATE_FILE_MODE } from '#private-files';
import { syncDirectory, type CacheLayout } from './layout.js';
import { FilePins } from './pins.js';
import { ReadHandles, type OpenFile } from './read-handles.js';
import { type Usage } from './usage.js';

export interface Segment {
  readonly id: number;
  /** Bytes of the file; live and dead records. */
  sizeBytes: number;
  /** Bytes of the records that the index refers to. */
  liveBytes: number;
  /** One of its record headers is damaged, so the segment cannot be compacted. It is removed with its last entry. */
  damaged: boolean;
}

/** One record to append, as the buffers it consists of. */
export interface Appendable {
  buffers: Buffer[];
  sizeBytes: number;
}

export interface RecordPlace {
  segmentId: number;
  offset: number;
}

/** Node passes writev to the kernel, which takes at most IOV_MAX (1024) buffers per call. */
const MAX_BUFFERS_PER_WRITE = 1000;
/**
 * One call writes about so much. For larger writes Linux takes larger pages (large folios), which cost a virtual machine
 * nearly twice as much of the kernel's time.
 */
const WRITE_BYTES = 512 << 10;

/**
 * The append-only files that small objects share. One segment is active. The others only lose live bytes, until they
 * are empty, or compacted, and then removed. Appends run one at a time (the store's mutex); reads at any time.
 */
export class Segments {
  readonly pins = new FilePins();
  private readonly byId = new Map<number, Segment>();
  private active: { segment: Segment; handle: FileHandle } | undefined;
  private nextId = 1;
  /** Segments that may have no live records left. `sweep` checks them. */
  private readonly suspects = new Set<Segment>();
  private readonly readHandles: ReadHandles;

  constructor(
    private readonly layout: CacheLayout,
    private readonly usage: Usage,
    readonly segmentBytes: number,
    private readonly onRemoveError: (file: string, error: unknown) => void,
  ) {
    this.readHandles = new ReadHandles((segmentId) => open(layout.segmentFile(segmentId), 'r'));
  }

  /** Registers a file found at opening. */
  adopt(segment: Segment): void {
    this.byId.set(segment.id, segment);
    this.nextId = Math.max(this.nextId, segment.id + 1);
    this.usage.segmentBytes += segment.sizeBytes;
  }

  /** Continues the newest segment if it has room. `endBytes`: where its last live record ends. */
  async resume(endBytes: number): Promise<void> {
    const segment = this.byId.get(this.nextId - 1);
    if (segment === undefined || endBytes >= this.segmentBytes) return;
    await truncate(this.layout.segmentFile(segment.id), endBytes);
    this.usage.segmentBytes += endBytes - segment.sizeBytes;
    segment.sizeBytes = endBytes;
    this.active = { segment, handle: await open(this.layout.segmentFile(segment.id), 'r+') };
  }

  get(segmentId: number): Segment | undefined {
    return this.byId.get(segmentId);
  }

  all(): Iterable<Segment> {
    return this.byId.values();
  }

  /**
   * Appends records and makes them durable. All or nothing: on an error the files are cut back to their old size. The
   * records count as dead until `retain`. Reserve their space before; success turns it into segment bytes.
   */
  async append(records: Appendable[]): Promise<RecordPlace[]> {
    const places: RecordPlace[] = [];
    const marks: { segment: Segment; sizeBytes: number }[] = [];
    try {
      for (let next = 0; next < records.length;) {
        const target = await this.writable(records[next]?.sizeBytes ?? 0);
        marks.push({ segment: target.segment, sizeBytes: target.segment.sizeBytes });
        next += await this.appendRun(target, records.slice(next), places);
      }
    } catch (error) {
      await this.cutBack(marks);
      throw error;
    }
    return places;
  }

  /** The index refers to a record from now on. */
  retain(segmentId: number, recordBytes: number): void {
    const segment = this.byId.get(segmentId);
    if (segment) segment.liveBytes += recordBytes;
  }

  /** The index, durably, no longer refers to a record. */
  release(segmentId: number, recordBytes: number): void {
    const segment = this.byId.get(segmentId);
    if (segment === undefined) return;
    segment.liveBytes -= recordBytes;
    if (segment.liveBytes === 0) this.suspects.add(segment);
  }

  /** Closes a segment for writing, so that it can be compacted. */
  async seal(segment: Segment): Promise<void> {
    if (this.active?.segment !== segment) return;
    const { handle } = this.active;
    this.active = undefined;
    this.suspects.add(segment);
    await handle.close();
  }

  /** Removes the sealed segments without live records. Those with readers are removed when the readers are done. */
  async sweep(): Promise<void> {
    const removals: Promise<void>[] = [];
    for (const segment of this.suspects) {
      if (segment === this.active?.segment) continue;
      this.suspects.delete(segment);
      if (segment.liveBytes > 0 || !this.byId.delete(segment.id)) continue;
      if (this.pins.has(segment.id)) this.pins.whenFree(segment.id, () => void this.remove(segment));
      else removals.push(this.remove(segment));
    }
    await Promise.all(removals);
  }

  /** Opens a segment for reading; the caller holds a pin on it. */
  openForReading(segmentId: number): Promise<OpenFile> {
    return this.readHandles.acquire(segmentId);
  }

  async close(): Promise<void> {
    await this.active?.handle.close();
    this.active = undefined;
    await this.readHandles.close();
  }

  /** As many of `records` as fit the segment, by writev. Returns how many. */
  private async appendRun(
    { segment, handle }: { segment: Segment; handle: FileHandle },
    records: Appendable[],
    places: RecordPlace[],
  ): Promise<number> {
    let offset = segment.sizeBytes;
    let count = 0;
    const buffers: Buffer[] = [];
    for (const record of records) {
      if (count > 0 && offset + record.sizeBytes > this.segmentBytes) break;
      places.push({ segmentId: segment.id, offset });
      buffers.push(...record.buffers.filter((buffer) => buffer.length > 0));
      offset += record.sizeBytes;
      count++;
    }
    let position = segment.sizeBytes;
    for (const run of runsOf(buffers)) position += await writeFully(handle, run, position);
    await handle.datasync();
    this.resize(segment, offset);
    return count;
  }

  private async writable(recordBytes: number): Promise<{ segment: Segment; handle: FileHandle }> {
    const current = this.active;
    if (current && (current.segment.sizeBytes === 0 || current.segment.sizeBytes + recordBytes <= this.segmentBytes)) {
      return current;
    }
    if (current) await this.seal(current.segment);
    const segment: Segment = { id: this.nextId++, sizeBytes: 0, liveBytes: 0, damaged: false };
    const handle = await open(this.layout.segmentFile(segment.id), 'wx+', PRIVATE_FILE_MODE);
    this.byId.set(segment.id, segment);
    this.active = { segment, handle };
    await syncDirectory(this.layout.segments);
    return this.active;
  }

  private async cutBack(marks: { segment: Segment; sizeBytes: number }[]): Promise<void> {
    for (const { segment, sizeBytes } of marks) {
      await truncate(this.layout.segmentFile(segment.id), sizeBytes);
      this.resize(segment, sizeBytes);
      this.suspects.add(segment);
    }
  }

  /** Turns reserved bytes into segment bytes, or back. */
  private resize(segment: Segment, sizeBytes: number): void {
    this.usage.segmentBytes += sizeBytes - segment.sizeBytes;
    this.usage.reservedBytes -= sizeBytes - segment.sizeBytes;
    segment.sizeBytes = sizeBytes;
  }

  private async remove(segment: Segment): Promise<void> {
    const file = this.layout.segmentFile(segment.id);
    try {
      await this.readHandles.drop(segment.id);
      await rm(file, { force: true });
      this.usage.segmentBytes -= segment.sizeBytes;
    } catch (error) {
      this.onRemoveError(file, error);
    }
  }
}

/** The buffers in the pieces that one call writes. */
function* runsOf(buffers: readonly Buffer[]): Iterable<Buffer[]> {
  let run: Buffer[] = [];
  let bytes = 0;
  for (const buffer of buffers) {
    run.push(buffer);
    bytes += buffer.length;
    if (bytes < WRITE_BYTES && run.length < MAX_BUFFERS_PER_WRITE) continue;
    yield run;
    run = [];
    bytes = 0;
  }
  if (run.length > 0) yield run;
}

/**
 * A write may stop early (a nearly full disk, a file size limit). The rest is written too, or fails with the reason.
 */
async function writeFully(handle: FileHandle, buffers: Buffer[], position: number): Promise<number> {
  const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  let { bytesWritten } = await handle.writev(buffers, position);
  if (bytesWritten < total) {
    const rest = Buffer.concat(buffers).subarray(bytesWritten);
    for (let done = 0; done < rest.length;) {
      const part = await handle.write(rest, done, rest.length - done, position + bytesWritten);
      done += part.bytesWritten;
      bytesWritten += part.bytesWritten;
    }
  }
  return total;
}
