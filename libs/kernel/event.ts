/** A past-tense fact as an aggregate decides it, before it is recorded. */
export interface DomainEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** Who asked for a command, when, and through which request; recorded with every event it leads to. */
export interface CommandContext {
  /** ISO 8601 in UTC. */
  readonly at: string;
  /** A user, `coordinator:<id>` or `worker:<id>`. */
  readonly actor: string;
  readonly requestId: string;
  /** The address the request came from, where there is one. */
  readonly source?: string;
}

/** An event as it stands in the log. `v` is the version of its data's schema. */
export interface RecordedEvent<Type extends string = string, Data = unknown>
  extends DomainEvent<Type, Data>, CommandContext {
  readonly id: string;
  readonly v: number;
}

/** Adds the recorded fields to each member of a union of domain events. */
export type Recorded<E extends DomainEvent> = E extends DomainEvent<infer T, infer D> ? RecordedEvent<T, D> : never;

/** Where a message stands: its place in the whole log (1-based) and the boundary it belongs to. */
export interface LogPosition {
  readonly sequence: number;
  /** Boundary without the cluster's prefix, for example `namespace` or `job.<id>`. */
  readonly boundary: string;
}

/** What one command decided: one message of the log, all of it or none. */
export interface Commit extends LogPosition {
  readonly events: readonly RecordedEvent[];
}
