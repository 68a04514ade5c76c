import type { Commit } from './event.js';

/** Names a view and carries its state's type. */
export interface ViewKey<State> {
  readonly name: string;
  /** Never present: it only ties the type to the key. */
  readonly stateType?: State;
}

/**
 * A read model: a shape, how it evolves, and how it survives in a snapshot. `evolve` may change `state` in place and
 * must not throw, read a clock or depend on anything but its arguments: every replica folds the same log into the
 * same state.
 */
export interface View<State> extends ViewKey<State> {
  /** Raised whenever the shape or its meaning changes: snapshots of another version are discarded. */
  readonly version: number;
  initial(): State;
  evolve(state: State, commit: Commit): void;
  /** JSON-able. */
  toSnapshot(state: State): unknown;
  fromSnapshot(snapshot: unknown): State;
}
