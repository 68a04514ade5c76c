export { openUfs, probeUfs, ufsSchemes, validateLocation } from './open.js';
export { LineSet } from './line-set.js';
export { RetriesExhausted, withRetries, type RetryHooks, type RetryPolicy } from './retry.js';
export { compareUtf8 } from './names.js';
export * from './types.js';
