export * from './test-nats.js';
export * from './test-cluster.js';
