export * from './job.events.js';
export * from './job-queries.js';
export * from './job.js';
export * from './job.process.js';
export * from './jobs.view.js';
export * from './slot.js';
export * from './special-files.js';
export * from './work-batch.js';
