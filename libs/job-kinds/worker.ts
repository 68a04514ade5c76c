import type { WorkerJobKind } from './kind.js';
import { loadWorkerKind } from './load/worker/index.js';

/** The worker's halves of all job kinds, by name. A new kind adds its line here. */
export const workerJobKinds: Readonly<Record<string, WorkerJobKind>> = {
  [loadWorkerKind.name]: loadWorkerKind,
};
