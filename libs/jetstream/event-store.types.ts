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
