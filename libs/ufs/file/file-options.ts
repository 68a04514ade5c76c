import type { DeclaredOptions } from '../declared-options.js';

/** `file://` has no options. */
export const fileOptions: DeclaredOptions = { use: () => ({ kind: 'unknown' }), names: () => [] };
