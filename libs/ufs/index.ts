export { openUfs, probeUfs, ufsSchemes, validateLocation } from './open.js';
export { RetriesExhausted, withRetries, type RetryHooks, type RetryPolicy } from './retry.js';
export { GuardedConnector } from './outage/guarded-connector.js';
export { type OutagePolicy, type StoreOutage } from './outage/outage-policy.js';
export { StoreWaits } from './outage/store-waits.js';
export { StoreWaiting } from './outage/store-waiting.js';
export { compareUtf8 } from './names.js';
export * from './types.js';
export { compareVersions, isSameCopy, isSameVersion, isStrong, strongerOf, type SizedVersion } from './version.js';
