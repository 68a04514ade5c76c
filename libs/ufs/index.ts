export { openUfs, probeUfs, ufsSchemes, validateLocation } from './open.js';
export { RetriesExhausted, withRetries, type RetryHooks, type RetryPolicy } from './retry.js';
export { compareUtf8 } from './names.js';
export * from './types.js';
export { compareVersions, isSameCopy, isSameVersion, isStrong, strongerOf, type SizedVersion } from './version.js';
