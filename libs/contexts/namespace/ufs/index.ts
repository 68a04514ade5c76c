export * from './connector-pool.js';
