export * from './checkpoints.js';
export * from './compare-logs.js';
export * from './fault.js';
export * from './verify-log.js';
