import type { Commit } from './event.js';

/**
 * A read model: a shape, how it evolves, and how it survives in a snapshot. `evolve` may change `state` in place and
 * must not throw, read a clock or depend on anything but its arguments: every replica folds the same log into the
 * same state.
 */
export interface View<State> {
  readonly name: string;
  /** Raised whenever the shape or its meaning changes: snapshots of another version are discarded. */
  readonly version: number;
  initial(): State;
  evolve(state: State, commit: Commit): void;
  /** JSON-able. */
  toSnapshot(state: State): unknown;
  fromSnapshot(snapshot: unknown): State;
}
