/** What main builds before the Nest application, which only wires it to HTTP. */
export const cacheToken = Symbol('CacheStore');
export const readinessToken = Symbol('Readiness');
export const passiveToken = Symbol('PassiveCache');
export const unmountedToken = Symbol('UnmountedCopies');
export const viewToken = Symbol('ClusterView');
export const clearStaleToken = Symbol('ClearStale');
export const quotaTrimmerToken = Symbol('QuotaTrimmer');
export const removerToken = Symbol('CopyRemover');
export const fileIndexEnabledToken = Symbol('file index enabled');

/** Undefined when ready, else one sentence on what is missing; and what an operator should mend beside that. */
export type Readiness = () => { missing?: string; warnings?: readonly string[] };
