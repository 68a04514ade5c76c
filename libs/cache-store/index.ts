export * from './types.js';
export { openCacheStore } from './open-cache-store.js';
export { MAX_PATH_BYTES } from './entry-codec.js';
export { claimOf } from './job-keeps.js';
export { isDiskFull } from './disk-errors.js';
