import type { WorkerJobKind } from '#contexts/jobs/kinds';
import { freeWorkerKind } from '../free/worker/index.js';
import { loadWorkerKind } from '../load/worker/index.js';
import { rebalanceWorkerKind } from '../rebalance/worker/index.js';

/** The worker's halves of all job kinds, by name. A new kind is a folder and a line here. */
export const workerJobKinds: Readonly<Record<string, WorkerJobKind>> = {
  [freeWorkerKind.name]: freeWorkerKind,
  [loadWorkerKind.name]: loadWorkerKind,
  [rebalanceWorkerKind.name]: rebalanceWorkerKind,
};
