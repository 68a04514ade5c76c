import { JobKinds } from '#contexts/jobs/kinds';
import { free } from '../free/index.js';
import { load } from '../load/index.js';
import type { JobKindParts } from '../parts.js';
import { rebalance } from '../rebalance/index.js';

/** The coordinator's halves of all job kinds, in the order of the API's description. A new kind is a folder and a line here. */
const all: readonly JobKindParts[] = [load, free, rebalance];

export const jobKinds = new JobKinds(all.map(({ kind }) => kind));
export const jobKindModules = all.map(({ module }) => module);
export const jobKindDocs = all.map(({ docs }) => docs);
