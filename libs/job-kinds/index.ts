import type { CoordinatorJobKind } from '#contexts/jobs/kinds';
import { freeKind } from './free/free.kind.js';
import { loadKind } from './load/load.kind.js';
import { rebalanceKind } from './rebalance/rebalance.kind.js';

export { freeSpecSchema, freeTarget, type FreeSpec } from './free/spec.js';
export { fileFilter } from './load/file-filter.js';
export { loadSpecSchema, loadTarget, type LoadSpec } from './load/spec.js';
export { rebalanceSpecSchema, type RebalanceSpec } from './rebalance/spec.js';

/** The registry of job kinds, coordinator side: a new kind is a folder and a line here. */
export const jobKinds: Readonly<Record<string, CoordinatorJobKind>> = {
  free: freeKind,
  load: loadKind,
  rebalance: rebalanceKind,
};
export { workerJobKinds } from './worker.js';
