import type { Commit } from './event.js';

/** Names a view and carries the type of its state. */
export interface ViewKey<State> {
  readonly name: string;
  /** Never set: it only ties the type to the key. */
  readonly stateType?: State;
}

/**
 * A read model: its state, how events change it, and how it is kept in a snapshot. `evolve` may change `state` in
 * place. It must not throw, read a clock or depend on anything but its arguments: every replica folds the same log into
 * the same state.
 */
export interface View<State> extends ViewKey<State> {
  /** Increase it whenever the state's form or meaning changes: snapshots of another version are discarded. */
  readonly version: number;
  initial(): State;
  evolve(state: State, commit: Commit): void;
  /** JSON-able. */
  toSnapshot(state: State): unknown;
  fromSnapshot(snapshot: unknown): State;
}
