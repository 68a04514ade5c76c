/**
 * A copy's key in the cache: its UFS path and the number of its store among those that this worker has met under that
 * bucket's name. The first store has the number 0 and its copies just their path, as in caches of versions up to 0.2; the
 * others' stand with the scheme: `s3.1://bucket/key`. No UFS path that a user can write has such a scheme.
 */
export interface NumberedPath {
  path: string;
  number: number;
}

const numbered = /^s3\.(\d{1,6}):/;

/** In the order of their bytes: what keys of a number can start with. */
export const schemes = ['file://', 's3://'] as const;

export function numberedKey(path: string, number: number): string {
  return number === 0 ? path : path.replace(/^s3:/, `s3.${number}:`);
}

export function splitKey(key: string): NumberedPath {
  const found = numbered.exec(key);
  return found ? { path: `s3:${key.slice(found[0].length)}`, number: Number(found[1]) } : { path: key, number: 0 };
}

/** `s3://bucket` of `s3://bucket/key`, `file://` of `file:///dir`: what one name may stand for several stores by. */
export function bucketOf(path: string): string {
  return /^[a-z0-9]+:\/\/[^/]*/.exec(path)?.[0] ?? path;
}
