export * from './config-error.js';
export * from './describe-settings.js';
export * from './load-config.js';
export * from './nats-url.js';
export * from './secret-key.js';
export { type Setting, settings, SUPERVISED } from './settings.js';
export * from './supervised.js';
export * from './usable-directory.js';
