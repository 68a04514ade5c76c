export * from './stream-leader.js';
export * from './test-nats-cluster.js';
export * from './test-log.js';
export * from './test-nats.js';
export * from './test-nats-node.js';
export * from './walls.js';
export { until } from '#async';
