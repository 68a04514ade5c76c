export * from './checkpoint.events.js';
export * from './log-mark.js';
export * from './log.js';
export * from './log.view.js';
