import type { Blame } from '../types.js';

/** More objects than this are not distinguished. */
const maxPaths = 10_000;

interface Failures {
  /** Successes of others between two failures of this one, counted once per pair. */
  successesBetween: number;
  /** `successes` at its last failure. */
  successesThen: number;
  /** Its first failure since it was given last. */
  sinceMs: number;
}

/**
 * Which objects of a store fail, and whether the store gave others meanwhile. This distinguishes a bad object from an
 * outage.
 */
export class PathFailures {
  private successes = 0;
  private readonly byPath = new Map<string, Failures>();
  /** Since the last success. */
  private readonly failing = new Set<string>();

  /** How many objects have failed since the last success, for reasons that may be the store's. */
  get objects(): number {
    return this.failing.size;
  }

  /** Whether an object failed after others were given: then it is not a good probe. */
  anySuspect = false;

  noteSuccess(): void {
    this.successes++;
    this.failing.clear();
    this.anySuspect = false;
  }

  forget(path: string): void {
    this.byPath.delete(path);
  }

  add(path: string, blame: Blame): { successesBetween: number; objects: number; failingMs: number } {
    const known = this.byPath.get(path);
    let successesBetween = known?.successesBetween ?? 0;
    if (known && known.successesThen < this.successes) successesBetween++;
    this.byPath.delete(path);
    const nowMs = performance.now();
    const sinceMs = known?.sinceMs ?? nowMs;
    this.byPath.set(path, { successesBetween, successesThen: this.successes, sinceMs });
    if (this.byPath.size > maxPaths) this.byPath.delete(this.byPath.keys().next().value!);
    if (successesBetween > 0) this.anySuspect = true;
    else if (blame === 'unclear') this.failing.add(path);
    return { successesBetween, objects: this.failing.size, failingMs: nowMs - sinceMs };
  }
}
