export * from './log-ends.js';
export * from './log-guard.js';
export * from './mark-file.js';
