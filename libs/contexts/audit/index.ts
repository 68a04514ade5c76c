export * from './cursor.js';
export * from './event-filter.js';
export * from './event.answers.js';
export { scopes, type Scope } from './presentation.js';
export * from './presenter.js';
