import { chainStart, emptyRoot, messageDigest } from '#jetstream';
import { checkpointBoundary } from '../../index.js';
import { Stretch, type SigningKey, type StoredMessage } from '../index.js';

export const key: SigningKey = { id: 'k1', key: Buffer.alloc(32, 7) };
export const foreignKey: SigningKey = { id: 'k1', key: Buffer.alloc(32, 8) };

interface Envelope {
  id: string;
  prev?: string;
  events: unknown[];
}

/** Writes a log as the event store does: each message names the one before it on its boundary. */
export class ChainedLog {
  readonly messages: StoredMessage[] = [];
  private readonly heads = new Map<string, string>();
  private readonly checkpointed = { through: 0, root: emptyRoot };

  constructor(private readonly signer: SigningKey = key) {}

  /** A log that continues after these messages. */
  static after(messages: readonly StoredMessage[], signer: SigningKey): ChainedLog {
    const log = new ChainedLog(signer);
    for (const message of messages) log.push(message.boundary, message.data);
    return log;
  }

  append(boundary: string, text: string, type = 'Noted', data: unknown = { text }): void {
    const id = `${boundary}-${this.messages.length}-${text}`;
    const event = { id, type, v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r', data };
    const prev = this.heads.get(boundary) ?? chainStart;
    this.push(boundary, bytesOf({ id, prev, events: [event] }));
  }

  /** Covers everything since the last one. */
  checkpoint(): void {
    const stretch = new Stretch(this.checkpointed.through + 1, this.checkpointed.root);
    for (const message of this.messages.slice(this.checkpointed.through)) stretch.add(message);
    if (stretch.throughSequence < stretch.fromSequence) return;
    const data = stretch.checkpoint(this.signer);
    Object.assign(this.checkpointed, { through: data.throughSequence, root: data.root });
    this.append(checkpointBoundary.name, 'c', 'LogCheckpointed', data);
  }

  private push(boundary: string, data: Uint8Array): void {
    const message = { sequence: this.messages.length + 1, boundary, data };
    this.messages.push(message);
    this.heads.set(boundary, messageDigest(boundary, data));
  }
}

const bytesOf = (envelope: Envelope): Uint8Array => Buffer.from(JSON.stringify(envelope));

/** The same message with another content; its `prev` stays right. */
export function tampered(message: StoredMessage): StoredMessage {
  const envelope = JSON.parse(Buffer.from(message.data).toString()) as Envelope;
  const events = envelope.events.map((event) => ({ ...(event as object), actor: 'somebody else' }));
  return { ...message, data: bytesOf({ ...envelope, events }) };
}

/** Gives the messages sequences without a gap, as if the log had always been like this. */
export function renumbered(messages: readonly StoredMessage[]): StoredMessage[] {
  return messages.map((message, i) => ({ ...message, sequence: i + 1 }));
}

/** A forged message for the place after `before`. Its `prev` is right if `linked`. */
export function slippedIn(before: readonly StoredMessage[], boundary: string, linked: boolean): StoredMessage {
  const last = before.findLast((message) => message.boundary === boundary);
  const right = last ? messageDigest(boundary, last.data) : chainStart;
  const prev = linked ? right : messageDigest('nowhere', Buffer.from(right));
  const event = { id: 'x', type: 'Noted', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'x', requestId: 'r', data: {} };
  return { sequence: before.length + 1, boundary, data: bytesOf({ id: 'x', prev, events: [event] }) };
}
