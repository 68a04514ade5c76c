import { createHash, randomUUID } from 'node:crypto';
import { headers, type StoredMsg } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf, messageOf } from '../link/errors.js';
import { OrderedConsumer } from '../stream/ordered-consumer.js';
import { unavailableUnlessRefused } from '../link/retry-budget.js';

/** An object's description in the form of NATS' object store (NATS ADR-20). */
interface ObjectMeta {
  readonly name: string;
  readonly bucket: string;
  /** Token of the chunks' subject. */
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  /** ISO 8601. */
  readonly mtime: string;
  readonly digest: string;
  readonly deleted: boolean;
}

export interface StoredObject {
  readonly name: string;
  /** Grows with every object stored in the bucket. */
  readonly revision: number;
  readonly modifiedAt: Date;
}

/** The object exists but cannot be read back completely. */
export class CorruptObjectError extends Error {}

const chunkBytes = 128 * 1024;
const chunksUnderWay = 16;
const stallTimeoutMs = 10_000;
/** Chunks without an object are left over from a writer that died. The age makes sure that it is not just slow. */
const orphanAgeMs = 3_600_000;

/**
 * Objects in a bucket, in the format of NATS' own object store, so that `nats object` can list and fetch them. The
 * client library's implementation is not used: it waits for ever for missing chunks, and hashes in plain JavaScript
 * without letting the event loop go on.
 */
export class ObjectStore {
  private readonly stream: string;

  constructor(
    private readonly link: NatsLink,
    private readonly bucket: string,
  ) {
    this.stream = `OBJ_${bucket}`;
  }

  /** The object becomes visible only when it is complete. @throws what NATS answers; leftovers are removed later. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    const nuid = randomUUID();
    const chunks = Math.ceil(bytes.length / chunkBytes);
    for (let first = 0; first < chunks; first += chunksUnderWay) {
      const group = Array.from({ length: Math.min(chunksUnderWay, chunks - first) }, (_, i) =>
        bytes.subarray((first + i) * chunkBytes, (first + i + 1) * chunkBytes),
      );
      // One connection and one leader: they are stored in the order of sending.
      await this.link.abortable(() =>
        Promise.all(group.map((chunk) => this.link.js.publish(this.chunkSubject(nuid), chunk))),
      );
    }
    const meta: ObjectMeta & Record<string, unknown> = {
      name,
      description: '',
      options: { max_chunk_size: chunkBytes },
      bucket: this.bucket,
      nuid,
      size: bytes.length,
      chunks,
      mtime: new Date().toISOString(),
      digest: digestOf(bytes),
      deleted: false,
    };
    const rollup = headers();
    rollup.set('Nats-Rollup', 'sub');
    await this.link.abortable(() =>
      this.link.js.publish(this.metaSubject(name), Buffer.from(JSON.stringify(meta)), { headers: rollup }),
    );
  }

  /** @throws CorruptObjectError; DomainError Unavailable. */
  async get(name: string): Promise<Uint8Array | undefined> {
    const message = await this.last(this.metaSubject(name));
    if (message === undefined) return undefined;
    const meta = metaOf(message);
    if (meta === undefined) throw new CorruptObjectError('its description cannot be read');
    if (meta.deleted) return undefined;
    const subject = this.chunkSubject(meta.nuid);
    const stored = (await this.subjects(subject))[subject] ?? 0;
    if (stored !== meta.chunks) throw new CorruptObjectError(`${stored} of its ${meta.chunks} chunks are stored`);
    const bytes = Buffer.concat(await this.chunks(subject, meta.chunks));
    if (bytes.length !== meta.size || digestOf(bytes) !== meta.digest) {
      throw new CorruptObjectError('its bytes are not the ones that were stored');
    }
    return bytes;
  }

  /** Objects whose name has this prefix, newest first. Those with an unreadable description are left out. */
  async list(prefix: string): Promise<StoredObject[]> {
    const metaPrefix = `$O.${this.bucket}.M.`;
    const names = Object.keys(await this.subjects(`${metaPrefix}>`))
      .map((subject) => Buffer.from(subject.slice(metaPrefix.length), 'base64url').toString('utf8'))
      .filter((name) => name.startsWith(prefix));
    const messages = await Promise.all(
      names.map(async (name) => ({ name, message: await this.last(this.metaSubject(name)) })),
    );
    return messages
      .flatMap(({ name, message }) =>
        message && metaOf(message)?.deleted === false
          ? [{ name, revision: message.seq, modifiedAt: new Date(message.timestamp) }]
          : [],
      )
      .sort((a, b) => b.revision - a.revision);
  }

  /** Removes an object, all its traces included. It is no error if there is none. */
  async remove(name: string): Promise<void> {
    const message = await this.last(this.metaSubject(name));
    const meta = message && metaOf(message);
    if (meta === undefined || meta.deleted) return;
    await this.purge(this.metaSubject(name));
    await this.purge(this.chunkSubject(meta.nuid));
  }

  /** Removes the chunks of writers that died before they finished. */
  async removeOrphans(): Promise<void> {
    const chunkSubjects = Object.keys(await this.subjects(this.chunkSubject('>')));
    const metas = Object.keys(await this.subjects(`$O.${this.bucket}.M.>`));
    const owned = new Set<string>();
    for (const subject of metas) {
      const message = await this.last(subject);
      const meta = message && metaOf(message);
      if (meta) owned.add(this.chunkSubject(meta.nuid));
    }
    for (const subject of chunkSubjects.filter((one) => !owned.has(one))) {
      const message = await this.last(subject);
      if (message && Date.now() - Date.parse(message.timestamp) > orphanAgeMs) await this.purge(subject);
    }
  }

  private chunks(subject: string, count: number): Promise<Uint8Array[]> {
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      const finish = (error?: unknown) => {
        clearTimeout(timer);
        consumer.stop();
        if (error === undefined) resolve(chunks);
        else reject(error instanceof Error ? error : new Error(messageOf(error)));
      };
      const timer = setTimeout(
        () => finish(new DomainError('Unavailable', 'nats-unreachable', 'NATS has stopped delivering a snapshot')),
        stallTimeoutMs,
      );
      const consumer = new OrderedConsumer(this.link, {
        stream: this.stream,
        startSequence: 1,
        filterSubject: subject,
        batch: 64,
        onMessage: ({ data }) => {
          timer.refresh();
          chunks.push(data);
          if (chunks.length === count) finish();
        },
        onFatal: finish,
      });
      if (count === 0) finish();
      else consumer.start();
    });
  }

  private async subjects(filter: string): Promise<Record<string, number>> {
    const info = await unavailableUnlessRefused(this.link, () =>
      this.link.jsm.streams.info(this.stream, { subjects_filter: filter }),
    );
    return info.state.subjects ?? {};
  }

  private async last(subject: string): Promise<StoredMsg | undefined> {
    try {
      return await unavailableUnlessRefused(this.link, () =>
        this.link.jsm.streams.getMessage(this.stream, { last_by_subj: subject }),
      );
    } catch (error) {
      if (apiCodeOf(error) === ApiCode.noMessageFound) return undefined;
      throw error;
    }
  }

  private async purge(filter: string): Promise<void> {
    await unavailableUnlessRefused(this.link, () => this.link.jsm.streams.purge(this.stream, { filter }));
  }

  private chunkSubject(nuid: string): string {
    return `$O.${this.bucket}.C.${nuid}`;
  }

  private metaSubject(name: string): string {
    return `$O.${this.bucket}.M.${padded(Buffer.from(name).toString('base64url'))}`;
  }
}

/** Undefined if it describes no object: anyone who may write into NATS can have put it there. */
function metaOf(message: StoredMsg): ObjectMeta | undefined {
  try {
    const meta = JSON.parse(Buffer.from(message.data).toString('utf8')) as ObjectMeta | null;
    // It must be one token of a subject, without wildcards: chunks are read and removed by it.
    if (typeof meta?.nuid !== 'string' || !/^[\w-]+$/.test(meta.nuid)) return undefined;
    return { ...meta, deleted: meta.deleted === true };
  } catch {
    return undefined;
  }
}

function digestOf(bytes: Uint8Array): string {
  return `SHA-256=${padded(createHash('sha256').update(bytes).digest('base64url'))}`;
}

/** The object store's format requires the padding that Node's base64url leaves out. */
function padded(base64url: string): string {
  return base64url.padEnd(Math.ceil(base64url.length / 4) * 4, '=');
}
