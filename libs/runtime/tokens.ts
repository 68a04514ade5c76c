import type { LarderConfig } from '#config';

/** Injection tokens for values that have no class. */
export const CONFIG = Symbol('larder-config');
export type { LarderConfig };
