export * from './mount-keys.js';
export * from './mount-store.js';
export * from './namespace.js';
export * from './namespace.view.js';
export * from './paths.js';
export * from './policies.js';
export * from './policy-lookup.js';
export * from './secrets.js';
