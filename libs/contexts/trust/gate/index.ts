export { type Coverage, PrefixDiffersError } from './covered-log.js';
export { signingKeyUnknown } from './foreign-beginning.js';
export * from './log-gate.js';
export * from './signing-keys.js';
export * from './log-trust.js';
export * from './signed-work.js';
