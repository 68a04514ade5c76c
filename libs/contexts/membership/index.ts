export * from './heartbeat.js';
export * from './membership.js';
export * from './membership.view.js';
