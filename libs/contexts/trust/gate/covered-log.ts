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

/** What a signed checkpoint says of everything before it. */
export interface Coverage {
  readonly throughSequence: number;
  /** Rolling digest of all messages through that one. */
  readonly root: string;
  /** Those among them that were void. */
  readonly void: readonly SequenceRange[];
}

/** What was read is not what the checkpoint was made over: it has to be verified message by message. */
export class PrefixDiffersError extends DomainError {
  /** @param throughSequence where it showed */
  constructor(throughSequence: number) {
    const text = `the log through ${throughSequence} is not what the checkpoint over it was made of`;
    super('Bug', checkpointDiffers, text);
  }
}

/**
 * The beginning of the log that a signed checkpoint stands for: its messages were verified when it was made, and need
 * not be again, if they are still the same. That shows at its end; whoever reads it has believed it until then.
 */
export class CoveredLog {
  private readonly void: Quarantine;

  constructor(private readonly coverage: Coverage) {
    this.void = new Quarantine({ void: coverage.void, acknowledged: [], examples: [] });
  }

  /** @returns undefined behind the end */
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
 * What a checkpoint says to hold was read when it was made: what cannot be read now is another message, or a newer build's.
 * @throws PrefixDiffersError: whoever reads it anew without the checkpoint finds out which
 */
export function decodeCovered(codec: EventCodec, message: StoredCommit): DecodedCommit {
  try {
    return codec.decode(message.data, message);
  } catch (error) {
    const unread = error instanceof CorruptEventError || error instanceof UnknownEventError;
    throw unread ? new PrefixDiffersError(message.sequence) : error;
  }
}
