export * from './api-client.js';
export * from './cache-comparison.js';
export * from './file-tree.js';
export * from './managed-process.js';
export * from './s3-process.js';
export * from './start-cluster.js';
export * from './until.js';
