export * from './index-source.js';
export * from './time-slice.js';
