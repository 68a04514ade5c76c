export * from './batch-file.js';
export * from './current-version.js';
export * from './fetch-file.js';
export * from './removal-tally.js';
export * from './retrying.js';
