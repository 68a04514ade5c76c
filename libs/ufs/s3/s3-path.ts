import { hasControlCharacter, hasDotSegment, printable } from '../names.js';
import { UfsError } from '../types.js';
import type { S3Settings } from './s3-settings.js';

/**
 * The key that a path of the connector names: '' for the bucket itself.
 * @throws UfsError `Outside` for another bucket, a key outside the mount, `.`/`..` segments or NUL; `Invalid` for names
 *   that a listing would reject too
 */
export function keyOf(path: string, settings: S3Settings): string {
  const root = `s3://${settings.bucket}`;
  if (path !== root && !path.startsWith(`${root}/`)) throw outside(path, `lies outside the bucket ${settings.bucket}`);
  const key = path.slice(root.length + 1);
  const prefix = settings.keyPrefix;
  if (!key.startsWith(prefix) && `${key}/` !== prefix) throw outside(path, `lies outside the mount ${root}/${prefix}`);
  if (key.includes('\0')) throw outside(path, 'holds a NUL character');
  if (hasDotSegment(key)) throw outside(path, 'has a segment . or ..');
  if (hasControlCharacter(key)) throw new UfsError('Invalid', path, sentence(path, 'holds a control character'));
  if (!key.isWellFormed()) throw new UfsError('Invalid', path, sentence(path, 'is not valid Unicode'));
  // The mount's own root without its `/` is the directory, not the object of that name beside it.
  return key.startsWith(prefix) ? key : prefix;
}

/** Why a key that was listed can never be loaded, as a sentence, or undefined when it can. */
export function keyFault(key: string): string | undefined {
  if (hasControlCharacter(key)) return 'The key holds a control character.';
  return hasDotSegment(key) ? 'The key has a segment . or .. .' : undefined;
}

/** Percent-encoding of RFC 3986 as SigV4 wants it; `/` separates segments and stays. */
export function encodeKey(key: string): string {
  if (/^[A-Za-z0-9\-._~/]*$/.test(key)) return key;
  return key.split('/').map(encodeValue).join('/');
}

export function encodeValue(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function outside(path: string, what: string): UfsError {
  return new UfsError('Outside', path, sentence(path, what));
}

function sentence(path: string, what: string): string {
  return `The path ${what}: ${printable(path)}.`;
}
