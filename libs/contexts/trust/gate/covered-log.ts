import {
  checkpointDiffers,
  CorruptEventError,
  type DecodedCommit,
  type EventCodec,
  type StoredCommit,
  UnknownEventError,
} from '#jetstream';
import { DomainError } from '#kernel';
import { Quarantine, type SequenceRange } from '../index.js';

/** What a signed checkpoint states about all messages before it. */
export interface Coverage {
  readonly throughSequence: number;
  /** Rolling digest of all messages through that one. */
  readonly root: string;
  /** The void ones among these messages. */
  readonly void: readonly SequenceRange[];
}

/** The messages read differ from those that the checkpoint covers. The reader must verify them one by one. */
export class PrefixDiffersError extends DomainError {
  /** @param throughSequence where the difference was found */
  constructor(throughSequence: number) {
    const text = `the log through ${throughSequence} differs from the log that its checkpoint was made of`;
    super('Bug', checkpointDiffers, text);
  }
}

/**
 * The beginning of the log, as covered by a signed checkpoint. Its messages were verified when the checkpoint was made.
 * If they are unchanged, they need no second verification. Only the root at the end shows whether they are: until then
 * the reader relies on messages that are not yet proven.
 */
export class CoveredLog {
  private readonly void: Quarantine;

  constructor(private readonly coverage: Coverage) {
    this.void = new Quarantine({ void: coverage.void, acknowledged: [], examples: [] });
  }

  /** @returns undefined for a sequence after the covered part */
  says(sequence: number): 'holds' | 'void' | undefined {
    if (sequence > this.coverage.throughSequence) return undefined;
    return this.void.has(sequence) ? 'void' : 'holds';
  }

  /** @throws PrefixDiffersError */
  passed(sequence: number, root: string): void {
    const { throughSequence, root: expected } = this.coverage;
    if (sequence === throughSequence && root !== expected) throw new PrefixDiffersError(throughSequence);
  }
}

/**
 * Decodes a message that a checkpoint lists as valid. It could be decoded when the checkpoint was made. If it cannot be
 * decoded now, either the message was replaced or a newer build wrote it.
 * @throws PrefixDiffersError then; reading again without the checkpoint shows which of the two it is
 */
export function decodeCovered(codec: EventCodec, message: StoredCommit): DecodedCommit {
  try {
    return codec.decode(message.data, message);
  } catch (error) {
    const unread = error instanceof CorruptEventError || error instanceof UnknownEventError;
    throw unread ? new PrefixDiffersError(message.sequence) : error;
  }
}
