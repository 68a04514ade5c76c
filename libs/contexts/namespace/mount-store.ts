import { storeOfLocation } from '#ufs/declarations';
import type { Mount } from './namespace.js';

/** A cache, because the store is looked up for every file, and an options object never changes. */
const found = new WeakMap<Mount['options'], { ufs: string; store: string }>();

/**
 * The store that a mount shows. In two mounts of one store, the same UFS path names the same bytes. Sealed values
 * cannot be read here, so their ciphertexts are compared: a value sealed again may look like another store, but another
 * store never looks like the same one.
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
