/** A past-tense fact that an aggregate has decided, before it is recorded. */
export interface DomainEvent<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** Who sent a command, when, and through which request; recorded with every event that follows from it. */
export interface CommandContext {
  /** ISO 8601 in UTC. */
  readonly at: string;
  /** A user, `coordinator:<id>` or `worker:<id>`. */
  readonly actor: string;
  readonly requestId: string;
  /** The address the request came from, if there is one. */
  readonly source?: string;
}

/** An event as it is in the log. `v` is the version of its data's schema. */
export interface RecordedEvent<Type extends string = string, Data = unknown>
  extends DomainEvent<Type, Data>, CommandContext {
  readonly id: string;
  readonly v: number;
}

/** Adds the recorded fields to each member of a union of domain events. */
export type Recorded<E extends DomainEvent> = E extends DomainEvent<infer T, infer D> ? RecordedEvent<T, D> : never;

/** The place of a message: its sequence in the whole log (from 1) and the boundary it belongs to. */
export interface LogPosition {
  readonly sequence: number;
  /** Boundary without the cluster's prefix, for example `namespace` or `job.<id>`. */
  readonly boundary: string;
}

/** What one command decided. It is one message of the log, so either all of it is there or nothing. */
export interface Commit extends LogPosition {
  readonly events: readonly RecordedEvent[];
}
