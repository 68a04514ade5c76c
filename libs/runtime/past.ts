import { AsyncLocalStorage } from 'node:async_hooks';

/** The log at one of its sequences. A request with `asOf` is answered from it. */
export interface Past {
  readonly sequence: number;
  /** The time at that moment, milliseconds since the epoch. */
  readonly nowMs: number;
  /** By view name. Requests share them, so they must not be changed. */
  readonly states: ReadonlyMap<string, unknown>;
}

const visited = new AsyncLocalStorage<Past>();

/** Runs `visit`, and everything that it leads to, in the past: `Views` and `nowMs` then answer as of that moment. */
export function inPast<T>(past: Past, visit: () => T): T {
  return visited.run(past, visit);
}

/** The past that the current request is about; undefined for the present. */
export function currentPast(): Past | undefined {
  return visited.getStore();
}

/** The wall clock, or the time of the moment that the current request is about; milliseconds since the epoch. */
export function nowMs(): number {
  return visited.getStore()?.nowMs ?? Date.now();
}
