import type { LarderConfig } from '#config';

/** Injection tokens for what is not a class of its own. */
export const CONFIG = Symbol('larder-config');
export type { LarderConfig };
