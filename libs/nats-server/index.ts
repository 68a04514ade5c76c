export * from './accounts.js';
export * from './config-file.js';
export * from './find.js';
export * from './start.js';
