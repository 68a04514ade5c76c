export * from './catalogues.js';
export * from './events-page.js';
