export * from './test-cluster.js';
export * from './test-log.js';
export * from './test-nats.js';
export * from './walls.js';
export { until } from '#async';
