export * from './types.js';
export { openCacheStore } from './open-cache-store.js';
export { MAX_PATH_BYTES } from './entries/entry-codec.js';
export { claimOf } from './space/job-keeps.js';
export { isDiskFull } from './disk/disk-errors.js';
