import { type DecodedCommit, type EventCodec } from './codec.js';
import { CorruptEventError } from '../link/errors.js';
import { type StoredCommit } from './read-stored-commits.js';

/**
 * Says which messages of the log are part of its history. Whoever may write into NATS can put anything there; what does
 * not hold is *void*: it keeps its sequence, and moves the end of its boundary, and means nothing else.
 */
export interface Judge {
  /**
   * Of one message by itself.
   * @returns undefined: it is void, or that cannot be told without what stands before it
   * @throws UnknownEventError of a newer build's event; DomainError Unavailable
   */
  admit(message: StoredCommit): Promise<DecodedCommit | undefined>;
  /** The same for messages that are read in order, from the first of their boundary on. */
  inOrder(): (message: StoredCommit) => Promise<DecodedCommit | undefined>;
}

/** Believes every message that can be read: for logs of which nobody knows any keys. */
export function believesAll(codec: EventCodec): Judge {
  // Nothing here waits; but what is thrown has to come as a rejection.
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
  /** A few words for people: `not signed`, `signed by a stranger` ... */
  readonly reason: string;
  /** A known writer did sign it: what is around it is not what that writer had seen. */
  readonly misplaced?: boolean;
}

/** Judges every message that a reader of the log delivers, in order, each once. */
export interface Gate {
  /** @throws UnknownEventError, and whatever else means that the reader must stop */
  admit(message: StoredCommit): { readonly commit: DecodedCommit } | { readonly void: VoidMessage };
}

/** A gate whose state goes into snapshots beside what was folded behind it. */
export interface SavedGate extends Gate {
  /** JSON-able. */
  toSnapshot(): unknown;
}

/** Lets everything through that can be read, and stops at what cannot. */
export function openGate(codec: EventCodec): SavedGate {
  return { admit: (message) => ({ commit: codec.decode(message.data, message) }), toSnapshot: () => null };
}

/** What a gate throws when a signed checkpoint does not stand for what was read: begin again, without it. */
export const checkpointDiffers = 'checkpoint-differs';
