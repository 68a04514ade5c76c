import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { confirmedInfo } from '../stream/confirmed-info.js';
import { type NatsLink } from '../link/connection.js';
import { type ClusterKey, derivedKey } from '../names/derived-key.js';
import { LogDamagedError, messageOf } from '../link/errors.js';
import { CorruptObjectError, ObjectStore } from './object-store.js';
import { unavailableUnlessRefused } from '../link/retry-budget.js';
import { type Names } from '../names/streams.js';

export interface Snapshot {
  /** The stream it was folded from: `EventStore.info().streamId`. */
  readonly streamId: string;
  /** Last sequence that it includes. */
  readonly sequence: number;
  /** JSON-able. */
  readonly state: unknown;
}

/** Stands before the state, so that a snapshot can be judged without unpacking it. */
interface Header {
  readonly format: 3;
  readonly viewVersion: string;
  readonly streamId: string;
  readonly sequence: number;
  /** Digest of the packed state, hexadecimal. */
  readonly sha256: string;
  /** HMAC-SHA256 over everything above, hexadecimal: proves that its writer may write snapshots. */
  readonly mac: string;
}

const sealPurpose = 'larder-snapshots';
const maxHeaderBytes = 4_096;
const kept = 2;
/** Replicas of the previous release may still need theirs. */
const otherVersionsKeptMs = 7 * 24 * 3_600_000;

/**
 * Snapshots of folded state, in an object store. They only save time. A snapshot with a fault is skipped with a line in
 * the process's log, and an older one or the whole event log is used. An object is a line of JSON (`Header`) and the
 * state as gzipped JSON; its name is `<name>.v<version>.<sequence>`.
 */
export class SnapshotStore {
  private readonly objects: ObjectStore;

  constructor(
    private readonly link: NatsLink,
    private readonly names: Names,
    private readonly lostTailGraceMs = 10_000,
    /** The first one seals, all of them open: a snapshot needs as much trust as the log itself. */
    private readonly keys: readonly ClusterKey[] = [],
  ) {
    this.objects = new ObjectStore(link, names.snapshotBucket);
  }

  /** Stores a snapshot and removes all but the newest two. @throws what NATS answers. */
  async save(name: string, viewVersion: string | number, snapshot: Snapshot): Promise<void> {
    const packed = await promisify(gzip)(JSON.stringify(snapshot.state), { level: 1 });
    const sealed = {
      format: 3 as const,
      viewVersion: String(viewVersion),
      streamId: snapshot.streamId,
      sequence: snapshot.sequence,
      sha256: sha256Of(packed),
    };
    const header: Header = { ...sealed, mac: this.keys[0] ? macOf(this.keys[0], sealed) : '' };
    const bytes = Buffer.concat([Buffer.from(JSON.stringify(header) + '\n'), packed]);
    await this.objects.put(`${prefixOf(name, viewVersion)}${snapshot.sequence}`, bytes);
    await this.prune(name, viewVersion);
  }

  /**
   * The newest snapshot that can be used with this log, or undefined.
   *
   * @param log.atMost skips snapshots that go further than this sequence
   * @throws LogDamagedError `log-lost-tail` if a good snapshot of this very log goes further than the log itself: it
   *   must not hide what the log has lost. DomainError Unavailable.
   */
  async load(
    name: string,
    viewVersion: string | number,
    log: { streamId: string; firstSequence: number; lastSequence: number; atMost?: number },
  ): Promise<Snapshot | undefined> {
    for (const object of await this.objects.list(prefixOf(name, viewVersion))) {
      if (Number(object.name.split('.').at(-1)) > (log.atMost ?? Infinity)) continue;
      const snapshot = await this.read(object.name, String(viewVersion));
      if (snapshot === undefined) continue;
      if (snapshot.streamId !== log.streamId) {
        this.discard(object.name, `it belongs to another log, ${snapshot.streamId}`);
      } else if (snapshot.sequence < log.firstSequence - 1) {
        this.discard(object.name, `the log now begins at ${log.firstSequence}`);
      } else {
        if (snapshot.sequence > log.lastSequence) await this.refuseIfLogIsShorter(snapshot.sequence);
        return snapshot;
      }
    }
    return undefined;
  }

  private async read(objectName: string, viewVersion: string): Promise<Snapshot | undefined> {
    try {
      const bytes = await this.objects.get(objectName);
      if (bytes === undefined) return undefined;
      const { header, packed } = splitHeader(bytes);
      if (header.viewVersion !== viewVersion) {
        throw new CorruptObjectError('it has another version than its name says');
      }
      if (sha256Of(packed) !== header.sha256) throw new CorruptObjectError('its checksum is wrong');
      if (!this.isSealed(header)) throw new CorruptObjectError('no coordinator with these keys has written it');
      const state = JSON.parse((await promisify(gunzip)(packed)).toString('utf8')) as unknown;
      return { streamId: header.streamId, sequence: header.sequence, state };
    } catch (error) {
      // Only an unreadable snapshot is discarded. An unreachable NATS must not cost a replay of the whole log.
      if (!(error instanceof CorruptObjectError || error instanceof SyntaxError || isZlibError(error))) throw error;
      this.discard(objectName, messageOf(error));
      return undefined;
    }
  }

  private isSealed({ format, viewVersion, streamId, sequence, sha256, mac }: Header): boolean {
    if (this.keys.length === 0) return true;
    const found = Buffer.from(mac);
    return this.keys.some((key) => {
      const expected = Buffer.from(macOf(key, { format, viewVersion, streamId, sequence, sha256 }));
      return found.length === expected.length && timingSafeEqual(found, expected);
    });
  }

  private discard(objectName: string, reason: string): void {
    this.link.log('warn', `snapshot ${objectName} is not used: ${reason}`);
  }

  /**
   * The snapshot may still be right: another replica may have written the log and this snapshot after the caller asked
   * for the log's end, or a server that has just taken over may still be catching up. So ask again for a while.
   */
  private async refuseIfLogIsShorter(sequence: number): Promise<void> {
    const deadline = performance.now() + this.lostTailGraceMs;
    for (;;) {
      const { state } = await unavailableUnlessRefused(this.link, () =>
        confirmedInfo(this.link, this.names.eventStream),
      );
      if (state.last_seq >= sequence) return;
      if (performance.now() >= deadline) {
        const text = `the log ends at ${state.last_seq}, but a snapshot of it goes up to ${sequence}`;
        throw new LogDamagedError('log-lost-tail', text);
      }
      await new Promise((again) => setTimeout(again, 250));
    }
  }

  private async prune(name: string, viewVersion: string | number): Promise<void> {
    const own = prefixOf(name, viewVersion);
    const all = await this.objects.list(`${name}.v`);
    const superseded = all.filter((object) => object.name.startsWith(own)).slice(kept);
    const outdated = all.filter(
      (object) => !object.name.startsWith(own) && Date.now() - object.modifiedAt.getTime() > otherVersionsKeptMs,
    );
    for (const object of [...superseded, ...outdated]) await this.objects.remove(object.name);
    await this.objects.removeOrphans();
  }
}

/** @throws CorruptObjectError, SyntaxError: anyone who may write into NATS can have put any bytes there */
function splitHeader(bytes: Uint8Array): { header: Header; packed: Uint8Array } {
  const end = bytes.subarray(0, maxHeaderBytes).indexOf(0x0a);
  if (end < 0) throw new CorruptObjectError('it does not begin with a header');
  const header = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString('utf8')) as Partial<Header> | null;
  if (header?.format !== 3) throw new CorruptObjectError('it has another format');
  const { viewVersion, streamId, sha256, mac, sequence } = header;
  const isWhole = [viewVersion, streamId, sha256, mac].every((text) => typeof text === 'string');
  if (!isWhole || !Number.isSafeInteger(sequence)) throw new CorruptObjectError('its header is not one of a snapshot');
  return { header: header as Header, packed: bytes.subarray(end + 1) };
}

function prefixOf(name: string, viewVersion: string | number): string {
  return `${name}.v${viewVersion}.`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function macOf(key: ClusterKey, sealed: Omit<Header, 'mac'>): string {
  return createHmac('sha256', derivedKey(key, sealPurpose)).update(JSON.stringify(sealed)).digest('hex');
}

function isZlibError(error: unknown): boolean {
  return (error as { code?: unknown }).code?.toString().startsWith('Z_') ?? false;
}
