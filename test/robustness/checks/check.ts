import type { Outcome } from '../harness/collect.js';
import type { Call, Fault } from '../harness/history.js';
import type { Sources } from '../harness/sources.js';

/** The input of a check. */
export interface Evidence {
  /** In the order of their ends. */
  readonly calls: readonly Call[];
  readonly faults: readonly Fault[];
  readonly accidents: readonly string[];
  readonly outcome: Outcome;
  readonly sources: Sources;
}

/** The check of a promise. @returns one sentence for each violation */
export type Check = (evidence: Evidence) => string[];

export const describeCall = ({ id, method, path, body, answer, lost }: Call): string =>
  `${id} ${method} ${path} ${JSON.stringify(body ?? {})} → ${answer?.status ?? lost} ${JSON.stringify(answer?.body ?? '')}`.slice(
    0,
    600,
  );
