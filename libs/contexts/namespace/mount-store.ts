import { storeOfLocation } from '#ufs/options';
import type { Mount } from './namespace.js';

/**
 * Which store a mount shows: two mounts of one store name the same bytes by the same UFS path. A value that is sealed is
 * not known here and stands for itself: sealed anew it may be another store, never falsely the same.
 */
export function storeOfMount({ ufs, options }: Pick<Mount, 'ufs' | 'options'>): string {
  const values = Object.entries(options).map(([name, option]): [string, string] => [
    name,
    'plain' in option ? option.plain : `sealed ${option.ciphertext}`,
  ]);
  return storeOfLocation(ufs, Object.fromEntries(values));
}
