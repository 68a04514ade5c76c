import { storeOfLocation } from '#ufs/declarations';
import type { Mount } from './namespace.js';

/** It is asked for with every file, and options never change. */
const found = new WeakMap<Mount['options'], { ufs: string; store: string }>();

/**
 * Which store a mount shows: two mounts of one store name the same bytes by the same UFS path. A value that is sealed is
 * not known here and stands for itself: sealed anew it may be another store, never falsely the same.
 */
export function storeOfMount({ ufs, options }: Pick<Mount, 'ufs' | 'options'>): string {
  const known = found.get(options);
  if (known?.ufs === ufs) return known.store;
  const values = Object.entries(options).map(([name, option]): [string, string] => [
    name,
    'plain' in option ? option.plain : `sealed ${option.ciphertext}`,
  ]);
  const store = storeOfLocation(ufs, Object.fromEntries(values));
  found.set(options, { ufs, store });
  return store;
}
