import type { Blame } from '../types.js';

/** More objects than that are not told apart. */
const maxPaths = 10_000;

interface Failures {
  /** Successes of others between two failures of this one, counted once per pair. */
  successesBetween: number;
  /** `successes` at its last failure. */
  successesThen: number;
}

/** Which objects of a store fail, and whether it gave others meanwhile: what tells a bad object from a bad hour. */
export class PathFailures {
  private successes = 0;
  private readonly byPath = new Map<string, Failures>();
  /** Since the last success. */
  private readonly failing = new Set<string>();

  /** How many objects have failed, in a way that may be the store's, since the last success. */
  get objects(): number {
    return this.failing.size;
  }

  /** Whether an object failed after others were given, so that it is no fit probe. */
  anySuspect = false;

  noteSuccess(): void {
    this.successes++;
    this.failing.clear();
    this.anySuspect = false;
  }

  forget(path: string): void {
    this.byPath.delete(path);
  }

  add(path: string, blame: Blame): { successesBetween: number; objects: number } {
    const known = this.byPath.get(path);
    let successesBetween = known?.successesBetween ?? 0;
    if (known && known.successesThen < this.successes) successesBetween++;
    this.byPath.delete(path);
    this.byPath.set(path, { successesBetween, successesThen: this.successes });
    if (this.byPath.size > maxPaths) this.byPath.delete(this.byPath.keys().next().value!);
    if (successesBetween > 0) this.anySuspect = true;
    else if (blame === 'unclear') this.failing.add(path);
    return { successesBetween, objects: this.failing.size };
  }
}
