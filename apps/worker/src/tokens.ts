/** What main builds before the Nest application, which only wires it to HTTP. */
export const cacheToken = Symbol('CacheStore');
export const readinessToken = Symbol('Readiness');

/** Undefined when ready, else one sentence on what is missing. */
export type Readiness = () => string | undefined;
