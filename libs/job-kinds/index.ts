import { freeKind } from './free/free.kind.js';
import type { CoordinatorJobKind } from './kind.js';
import { loadKind } from './load/load.kind.js';
import { rebalanceKind } from './rebalance/rebalance.kind.js';

export { freeSpecSchema, freeTarget, type FreeSpec } from './free/spec.js';
export * from './kind.js';
export { fileFilter } from './load/file-filter.js';
export { loadSpecSchema, loadTarget, type LoadSpec } from './load/spec.js';
export { splitRoots } from './roots.js';
export { rebalanceSpecSchema, type RebalanceSpec } from './rebalance/spec.js';
export { otherStore, storesOf } from './stores.js';
export { planBatches, type DraftBatch } from './plan-batches.js';

/** The registry of job kinds, coordinator side: a new kind is a folder and a line here. */
export const jobKinds: Readonly<Record<string, CoordinatorJobKind>> = {
  free: freeKind,
  load: loadKind,
  rebalance: rebalanceKind,
};
export { workerJobKinds } from './worker.js';
