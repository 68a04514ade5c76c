export * from './cluster/index.js';
export * from './nats/index.js';
export * from './decider/index.js';
export * from './s3/index.js';
export * from './net/index.js';
export * from './random.js';
export * from './source-copy.js';
