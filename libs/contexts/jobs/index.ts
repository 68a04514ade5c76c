export * from './job.events.js';
export * from './work-batch.js';
