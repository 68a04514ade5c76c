export * from './abort-listeners.js';
export * from './aborted.js';
export * from './bell.js';
export * from './pause.js';
export * from './retry.js';
export * from './semaphore.js';
export * from './within.js';
