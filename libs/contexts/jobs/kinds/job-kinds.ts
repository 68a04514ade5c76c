import { DomainError } from '#kernel';
import type { CoordinatorJobKind } from './coordinator-kind.js';

/** The kinds of jobs that a coordinator runs, by name; made by the registry and handed to whoever works with jobs. */
export class JobKinds {
  private readonly byName: ReadonlyMap<string, CoordinatorJobKind>;

  constructor(kinds: readonly CoordinatorJobKind[]) {
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
