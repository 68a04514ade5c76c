import { connectors } from '#ufs/declarations';

/**
 * A copy's key in the cache: its UFS path and its store's number among the stores that this worker has met under that
 * bucket's name. The first store has the number 0, and its copies have just their path, as in caches of versions up to
 * 0.2. The other stores' number follows the scheme: `s3.1://bucket/key`. No UFS path that a user can write has such a
 * scheme.
 */
export interface NumberedPath {
  path: string;
  number: number;
}

/** In byte order: what keys with a number can start with, and whether it can have numbers other than 0. */
export const schemes = connectors
  .map(({ scheme, storeOf }) => ({ root: `${scheme}://`, isNumbered: storeOf !== undefined }))
  .sort((a, b) => (a.root < b.root ? -1 : 1));

const numberedSchemes = connectors.flatMap(({ scheme, storeOf }) => (storeOf ? [scheme] : []));
const plain = new RegExp(`^(${numberedSchemes.join('|')}):`);
const numbered = new RegExp(`^(${numberedSchemes.join('|')})\\.(\\d{1,6}):`);

/** Every key with a number other than 0 begins with one of these. */
export const numberedPrefixes: readonly string[] = numberedSchemes.map((scheme) => `${scheme}.`);

export function numberedKey(path: string, number: number): string {
  return number === 0 ? path : path.replace(plain, `$1.${number}:`);
}

export function splitKey(key: string): NumberedPath {
  const [found, scheme, number] = numbered.exec(key) ?? [];
  return found ? { path: `${scheme}:${key.slice(found.length)}`, number: Number(number) } : { path: key, number: 0 };
}

/** `s3://bucket` of `s3://bucket/key`, `file://` of `file:///dir`: the name that several stores may share. */
export function bucketOf(path: string): string {
  return /^[a-z0-9]+:\/\/[^/]*/.exec(path)?.[0] ?? path;
}
