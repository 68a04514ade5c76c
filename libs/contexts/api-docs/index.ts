export * from './document.js';
export * from './html-page.js';
export * from './openapi.js';
export * from './known-names.js';
