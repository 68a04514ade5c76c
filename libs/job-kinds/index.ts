import type { CoordinatorJobKind } from './kind.js';
import { loadKind } from './load/load.kind.js';

export * from './kind.js';
export { fileFilter } from './load/file-filter.js';
export { loadSpecSchema, loadTarget, minimalRoots, type LoadSpec } from './load/spec.js';
export { planBatches, type DraftBatch } from './plan-batches.js';

/** The registry of job kinds, coordinator side: a new kind is a folder and a line here. */
export const jobKinds: Readonly<Record<string, CoordinatorJobKind>> = { load: loadKind };
export { workerJobKinds } from './worker.js';
