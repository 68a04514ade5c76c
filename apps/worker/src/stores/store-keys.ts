import { connectors } from '#ufs/declarations';

/**
 * A copy's key in the cache: its UFS path and the number of its store among those that this worker has met under that
 * bucket's name. The first store has the number 0 and its copies just their path, as in caches of versions up to 0.2; the
 * others' stand with the scheme: `s3.1://bucket/key`. No UFS path that a user can write has such a scheme.
 */
export interface NumberedPath {
  path: string;
  number: number;
}

/** In the order of their bytes: what keys of a number can start with, and whether there are numbers beside 0. */
export const schemes = connectors
  .map(({ scheme, storeOf }) => ({ root: `${scheme}://`, isNumbered: storeOf !== undefined }))
  .sort((a, b) => (a.root < b.root ? -1 : 1));

const numberedSchemes = connectors.flatMap(({ scheme, storeOf }) => (storeOf ? [scheme] : []));
const plain = new RegExp(`^(${numberedSchemes.join('|')}):`);
const numbered = new RegExp(`^(${numberedSchemes.join('|')})\\.(\\d{1,6}):`);

/** What every key with another number than 0 begins with, by one of these. */
export const numberedPrefixes: readonly string[] = numberedSchemes.map((scheme) => `${scheme}.`);

export function numberedKey(path: string, number: number): string {
  return number === 0 ? path : path.replace(plain, `$1.${number}:`);
}

export function splitKey(key: string): NumberedPath {
  const [found, scheme, number] = numbered.exec(key) ?? [];
  return found ? { path: `${scheme}:${key.slice(found.length)}`, number: Number(number) } : { path: key, number: 0 };
}

/** `s3://bucket` of `s3://bucket/key`, `file://` of `file:///dir`: what one name may stand for several stores by. */
export function bucketOf(path: string): string {
  return /^[a-z0-9]+:\/\/[^/]*/.exec(path)?.[0] ?? path;
}
