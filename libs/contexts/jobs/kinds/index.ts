export * from './coordinator-kind.js';
export * from './job-kinds.js';
export * from './path-spec.js';
export * from './plan-batches.js';
export * from './progress.js';
export * from './roots.js';
export * from './stores.js';
export * from './worker-kind.js';
