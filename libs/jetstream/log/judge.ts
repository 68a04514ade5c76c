import { type DecodedCommit, type EventCodec } from './codec.js';
import { CorruptEventError } from '../link/errors.js';
import { type StoredCommit } from './read-stored-commits.js';

/**
 * Decides which messages of the log are part of its history. Anyone who may write into NATS can put messages there. A
 * message that does not hold is *void*: it keeps its sequence and moves the end of its boundary, but has no other
 * effect.
 */
export interface Judge {
  /**
   * Judges one message by itself.
   * @returns undefined: it is void, or the messages before it are needed to tell
   * @throws UnknownEventError for an event of a newer build; DomainError Unavailable
   */
  admit(message: StoredCommit): Promise<DecodedCommit | undefined>;
  /** Judges messages that are read in order, from the first of their boundary on. */
  inOrder(): (message: StoredCommit) => Promise<DecodedCommit | undefined>;
}

/** Accepts every readable message: for logs whose keys are not known. */
export function believesAll(codec: EventCodec): Judge {
  // Nothing here waits; the promise turns an error into a rejection.
  const admit = (message: StoredCommit): Promise<DecodedCommit | undefined> =>
    new Promise((resolve) => resolve(readable(codec, message)));
  return { admit, inOrder: () => admit };
}

function readable(codec: EventCodec, message: StoredCommit): DecodedCommit | undefined {
  try {
    return codec.decode(message.data, message);
  } catch (error) {
    if (error instanceof CorruptEventError) return undefined;
    throw error;
  }
}

/** A message of the log that is not part of its history. */
export interface VoidMessage {
  readonly sequence: number;
  readonly boundary: string;
  /** A few words for people: `not signed`, `signed by an unknown writer` ... */
  readonly reason: string;
  /** A known writer did sign it, but it does not stand where that writer put it. */
  readonly misplaced?: boolean;
}

/** Judges every message that a reader of the log delivers: in order, and each once. */
export interface Gate {
  /** @throws UnknownEventError, and whatever else means that the reader must stop */
  admit(message: StoredCommit): { readonly commit: DecodedCommit } | { readonly void: VoidMessage };
}

/** A gate whose state is part of snapshots, beside the views. */
export interface SavedGate extends Gate {
  /** JSON-able. */
  toSnapshot(): unknown;
}

/** Admits every readable message, and stops at an unreadable one. */
export function openGate(codec: EventCodec): SavedGate {
  return { admit: (message) => ({ commit: codec.decode(message.data, message) }), toSnapshot: () => null };
}

/** Code of a gate's error when a signed checkpoint does not match what was read: begin again, without it. */
export const checkpointDiffers = 'checkpoint-differs';
