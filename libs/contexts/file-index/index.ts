export * from './file-index.events.js';
export * from './merge-sorted.js';
