export * from './quarantine.js';
export * from './writers.js';
