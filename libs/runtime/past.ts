import { AsyncLocalStorage } from 'node:async_hooks';

/** The log as it stood at one of its sequences: what a request that travels in time is answered from. */
export interface Past {
  readonly sequence: number;
  /** What the clock showed then, milliseconds since the epoch. */
  readonly nowMs: number;
  /** By view name. Shared between requests: nobody may change them. */
  readonly states: ReadonlyMap<string, unknown>;
}

const visited = new AsyncLocalStorage<Past>();

/** Runs `visit`, and everything it leads to, in the past: `Views` answers from it, and `nowMs` is of then. */
export function inPast<T>(past: Past, visit: () => T): T {
  return visited.run(past, visit);
}

/** The past that the current request is about; undefined for the present. */
export function currentPast(): Past | undefined {
  return visited.getStore();
}

/** The wall clock, or what it showed at the moment that the current request is about; milliseconds since the epoch. */
export function nowMs(): number {
  return visited.getStore()?.nowMs ?? Date.now();
}
