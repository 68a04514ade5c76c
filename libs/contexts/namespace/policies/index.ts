import { priorityPolicy } from './priority.js';
import { quotaPolicy } from './quota.js';
import { ttlPolicy } from './ttl.js';

export type { PolicyAnswer, PolicyDeclaration, PolicyField } from './policy.js';
export { defaultPriority, evictionTier, priorities, type Priority } from './priority.js';
export { quotaPolicy } from './quota.js';

/** All kinds of policies. To add one, add a file beside this one and an entry here. */
export const policies = [quotaPolicy, ttlPolicy, priorityPolicy] as const;
