export * from './boundary.js';
export * from './decider.js';
export * from './domain-error.js';
export * from './event.js';
export * from './view.js';
export * from './event-schema.js';
export * from './nearest.js';
