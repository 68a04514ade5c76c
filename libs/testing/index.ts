export * from './nats/index.js';
