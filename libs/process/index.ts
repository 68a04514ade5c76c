export * from './directory-lock.js';
export * from './ending.js';
export * from './installation.js';
export * from './pid-files.js';
export * from './process-identity.js';
export * from './refusal.js';
