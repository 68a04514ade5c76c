import {
  type Commit,
  DomainError,
  type EventCatalogue,
  type EventSchema,
  type LogPosition,
  type RecordedEvent,
} from '#kernel';
import { CorruptEventError, messageOf, UnknownEventError } from '../link/errors.js';
import { signatureSuffixBytes } from './signed-bytes.js';

/** A commit as read from the log. */
export interface DecodedCommit extends Commit {
  /** The id it was appended under. */
  readonly commitId: string;
  /** Digest of the commit before it on its boundary; undefined if it was written before commits were chained. */
  readonly prev?: string;
  /** The place that its writer states, as in the envelope. */
  readonly after?: number;
  readonly seen?: Seen;
}

/** A message of the log that a writer had seen: its sequence, and the first eight bytes of its digest, hexadecimal. */
export type Seen = readonly [sequence: number, digest: string];

/** The content of one message of the log. */
export interface CommitEnvelope {
  readonly commitId: string;
  readonly prev?: string;
  /** Sequence of the message whose digest is `prev`; 0 for the first of its boundary. */
  readonly after?: number;
  /** The writer that signed it. */
  readonly by?: string;
  /** The key of the ring that signed it; undefined: the writer's own key. */
  readonly key?: string;
  /** The newest message that the writer had seen. It ties the commit to this log, and roughly to this place in it. */
  readonly seen?: Seen;
  readonly events: readonly RecordedEvent[];
}

/** Room for the headers that go with a message: ids of at most a few hundred bytes. */
const headerAllowanceBytes = 1_024 + signatureSuffixBytes;

/**
 * Turns events into bytes and back: `{ "id": commitId, "prev": digest, "after": sequence, "by": writer, "key": keyId,
 * "seen": [ … ], "events": [ … ] }` in JSON. Stored events are never rewritten: reading brings older versions up to
 * today's, one step at a time. Everything is validated both ways.
 */
export class EventCodec {
  private readonly schemas = new Map<string, EventSchema>();

  constructor(catalogues: readonly EventCatalogue[]) {
    for (const [type, schema] of catalogues.flatMap((catalogue) => Object.entries(catalogue))) {
      if (this.schemas.has(type)) {
        throw new DomainError('Bug', 'duplicate-event-type', `event type "${type}" is declared twice`);
      }
      this.schemas.set(type, schema);
    }
  }

  /**
   * @param maxPayloadBytes the server's limit.
   * @throws DomainError Bug `invalid-event` for data that does not fit its schema or is not of today's version; Refused
   *   `commit-too-large`.
   */
  encode(commit: CommitEnvelope, maxPayloadBytes = Number.POSITIVE_INFINITY): Uint8Array {
    if (commit.events.length === 0) throw new DomainError('Bug', 'empty-commit', 'a commit holds at least one event');
    const events = commit.events.map((event) => ({ ...event, data: this.validatedForWriting(event) }));
    const { commitId: id, prev, after, by, key, seen } = commit;
    const bytes = Buffer.from(JSON.stringify({ id, prev, after, by, key, seen, events }));
    if (bytes.length + headerAllowanceBytes > maxPayloadBytes) {
      throw new DomainError(
        'Refused',
        'commit-too-large',
        `${bytes.length} bytes of events in one commit are more than the ${maxPayloadBytes} bytes that NATS takes`,
      );
    }
    return bytes;
  }

  /** @throws UnknownEventError for a type or version of a newer build, CorruptEventError for anything malformed. */
  decode(bytes: Uint8Array, position: LogPosition): DecodedCommit {
    return this.decodeEnvelope(parseEnvelope(bytes, position.sequence), position);
  }

  /** Decodes an envelope that was parsed already. @throws as `decode` */
  decodeEnvelope({ commitId, prev, after, seen, events }: CommitEnvelope, position: LogPosition): DecodedCommit {
    return {
      sequence: position.sequence,
      boundary: position.boundary,
      commitId,
      ...(prev !== undefined && { prev }),
      ...(after !== undefined && { after }),
      ...(seen !== undefined && { seen }),
      events: events.map((event) => this.current(event, position.sequence)),
    };
  }

  private validatedForWriting(event: RecordedEvent): unknown {
    const schema = this.schemas.get(event.type);
    if (schema === undefined || schema.v !== event.v) {
      throw new DomainError(
        'Bug',
        'invalid-event',
        `event "${event.type}" version ${event.v} is not in the catalogue${schema ? `, which has version ${schema.v}` : ''}`,
      );
    }
    try {
      return schema.schema.parse(event.data);
    } catch (error) {
      const why = `event "${event.type}" has data that does not fit its schema: ${messageOf(error)}`;
      throw new DomainError('Bug', 'invalid-event', why, { cause: error });
    }
  }

  private current(event: RecordedEvent, sequence: number): RecordedEvent {
    const schema = this.schemas.get(event.type);
    if (schema === undefined) {
      throw new UnknownEventError(event.type, event.v, sequence, 'this build does not know the type');
    }
    if (event.v > schema.v) {
      throw new UnknownEventError(event.type, event.v, sequence, `this build knows it up to version ${schema.v}`);
    }
    let data: unknown = event.data;
    for (let v = event.v; v < schema.v; v++) {
      const step = schema.upcast?.[v];
      if (step === undefined) {
        throw new UnknownEventError(event.type, event.v, sequence, `there is no step from version ${v} to ${v + 1}`);
      }
      data = attempt(() => step(data as never), sequence, event.type);
    }
    data = attempt(() => schema.schema.parse(data), sequence, event.type);
    return { ...event, v: schema.v, data };
  }
}

function attempt<T>(step: () => T, sequence: number, type: string): T {
  try {
    return step();
  } catch (error) {
    throw new CorruptEventError(sequence, `event "${type}" does not fit its schema: ${messageOf(error)}`, error);
  }
}

/** The envelope as stored: its events are neither brought up nor validated. @throws CorruptEventError */
export function parseEnvelope(bytes: Uint8Array, sequence: number): CommitEnvelope {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new CorruptEventError(sequence, 'it is not JSON', error);
  }
  const envelope = parsed as { [Field in 'id' | 'prev' | 'after' | 'by' | 'key' | 'seen' | 'events']?: unknown } | null;
  if (typeof envelope?.id !== 'string' || !Array.isArray(envelope.events) || envelope.events.length === 0) {
    throw new CorruptEventError(sequence, 'it has no id or no events');
  }
  const { id, prev, after, by, key, seen } = envelope;
  if (prev !== undefined && typeof prev !== 'string') throw new CorruptEventError(sequence, 'its prev is no digest');
  if (!envelope.events.every(isRecordedEvent)) {
    throw new CorruptEventError(sequence, 'an event in it lacks id, type, version, time, actor or request');
  }
  return {
    commitId: id,
    ...(prev !== undefined && { prev }),
    ...(Number.isSafeInteger(after) && { after: after as number }),
    ...(typeof by === 'string' && { by }),
    ...(typeof key === 'string' && { key }),
    ...(isSeen(seen) && { seen }),
    events: envelope.events,
  };
}

function isSeen(value: unknown): value is Seen {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    Number.isSafeInteger(value[0]) &&
    /^[0-9a-f]{0,16}$/.test(String(value[1]))
  );
}

function isRecordedEvent(value: unknown): value is RecordedEvent {
  const event = value as Partial<RecordedEvent> | null;
  return (
    typeof event?.id === 'string' &&
    typeof event.type === 'string' &&
    Number.isSafeInteger(event.v) &&
    event.v! >= 1 &&
    typeof event.at === 'string' &&
    typeof event.actor === 'string' &&
    typeof event.requestId === 'string'
  );
}
