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

/** `missing`: undefined when ready, else one sentence. `warnings`: what an operator should repair besides. */
export type Readiness = () => { missing?: string; warnings?: readonly string[] };
