import { type DecodedCommit } from './codec.js';
import { type Judge } from './judge.js';
import { type Signer } from './signed-bytes.js';

export interface EventStoreOptions {
  /** How long to retry appends, milliseconds. */
  readonly patienceMs?: () => number;
  /** Signs what is appended. Undefined: nothing is signed, and readers that require signatures reject it. */
  readonly signer?: Signer;
  /** Which messages are part of history. Default: all that can be read. */
  readonly judge?: Judge;
}

/** Where a boundary ends. */
export interface BoundaryEnd {
  /** Of its last message, void or not: the next append must expect this sequence. */
  readonly sequence: number;
  /** The last commit that is not void. */
  readonly commit: DecodedCommit | undefined;
}

export interface AppendOptions {
  /** How long to try before giving up: outcome unknown, or NATS unreachable. Default: the store's patience. */
  readonly budgetMs?: number;
  /** Upper limit of that time, for a caller that has waited already. */
  readonly atMostMs?: number;
}

export interface LogInfo {
  /** Tells this stream from any other, even from one created later under the same name. */
  readonly streamId: string;
  /** First sequence still there: 1, unless the log was archived. */
  readonly firstSequence: number;
  /** 0 for an empty log. */
  readonly lastSequence: number;
  /** ISO 8601. */
  readonly createdAt: string;
}
