import { DomainError } from '#kernel';
import type { JobRecord, Pass, WireState } from '../index.js';
import type { CoordinatorJobKind, JobPass } from './coordinator-kind.js';

/** The passes that a job of this specification goes through, in order. */
export function passNames(kind: CoordinatorJobKind, spec: Record<string, unknown>): Pass[] {
  return kind.passes.filter((pass) => pass.applies?.(spec) ?? true).map(({ name }) => name);
}

/** @throws DomainError Bug for a pass that the kind does not have */
export function passOf(kind: CoordinatorJobKind, name: Pass): JobPass {
  const pass = kind.passes.find((one) => one.name === name);
  if (!pass) throw new DomainError('Bug', 'foreign-pass', `a ${kind.name} job has no pass ${name}`);
  return pass;
}

/** The `state` of the progress object. */
export function wireState(kind: CoordinatorJobKind, record: JobRecord): WireState {
  switch (record.state.status) {
    case 'finished':
      return record.outcome?.state ?? 'FAILED';
    case 'stopped':
      return 'STOPPED';
    case 'running':
      return passOf(kind, record.state.pass).wireState ?? 'RUNNING';
  }
}
