export * from './document.js';
export * from './html-page.js';
export * from './jobs.js';
export * from './known-names.js';
export * from './openapi.js';
export * from './responses.js';
export { readinessAnswer, type ReadinessAnswer } from './service.paths.js';
