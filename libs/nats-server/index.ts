export * from './accounts.js';
export * from './config-file.js';
export * from './find.js';
export * from './meet.js';
export * from './start.js';
