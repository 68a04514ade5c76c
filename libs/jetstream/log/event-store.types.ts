import { type DecodedCommit } from './codec.js';
import { type Judge } from './judge.js';
import { type Signer } from './signed-bytes.js';

export interface EventStoreOptions {
  /** How long appends are tried for, milliseconds. */
  readonly patienceMs?: () => number;
  /** Signs what is appended; none: nothing is signed, and readers that ask for signatures will not have it. */
  readonly signer?: Signer;
  /** Which messages are part of history. Default: all that can be read. */
  readonly judge?: Judge;
}

/** Where a boundary ends. */
export interface BoundaryEnd {
  /** Of its last message, void or not: what the next append has to expect. */
  readonly sequence: number;
  /** The last one that holds. */
  readonly commit: DecodedCommit | undefined;
}

export interface AppendOptions {
  /** How long to try until the outcome is given up as unknown or NATS as away. Default: the store's patience. */
  readonly budgetMs?: number;
  /** Cuts that short: for somebody who has waited already. */
  readonly atMostMs?: number;
}

export interface LogInfo {
  /** Tells this stream from any other, one that was created later under the same name included. */
  readonly streamId: string;
  /** First sequence still there: 1, unless the log was archived. */
  readonly firstSequence: number;
  /** 0 for an empty log. */
  readonly lastSequence: number;
  /** ISO 8601. */
  readonly createdAt: string;
}
