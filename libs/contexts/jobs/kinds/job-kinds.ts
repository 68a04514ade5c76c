import { DomainError } from '#kernel';
import { mainPass, markOf } from '../index.js';
import type { CoordinatorJobKind } from './coordinator-kind.js';

/** The kinds of jobs that a coordinator runs, by name. The registry makes it for every part that works with jobs. */
export class JobKinds {
  private readonly byName: ReadonlyMap<string, CoordinatorJobKind>;

  /** @throws DomainError Bug for a kind whose passes cannot be told apart, or that does not begin with the main pass */
  constructor(kinds: readonly CoordinatorJobKind[]) {
    for (const { name, passes } of kinds) {
      const marks = new Set(passes.map((pass) => markOf(pass.name)));
      if (passes[0]?.name === mainPass && marks.size === passes.length) continue;
      const expected = `'${mainPass}' first, and names that begin with different letters, none with an l`;
      throw new DomainError('Bug', 'bad-passes', `the passes of job kind ${name} must be ${expected}`);
    }
    this.byName = new Map(kinds.map((kind) => [kind.name, kind]));
  }

  /** In alphabetical order. */
  get names(): string[] {
    return [...this.byName.keys()].sort();
  }

  /** @throws DomainError Bug for a kind that this build does not have */
  of(name: string): CoordinatorJobKind {
    const kind = this.byName.get(name);
    if (!kind) throw new DomainError('Bug', 'unknown-job-kind', `this build has no job kind ${name}`);
    return kind;
  }
}
