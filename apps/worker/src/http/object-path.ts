import { normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { missingParameters } from '#runtime';

/**
 * The UFS path of `?path=…`, percent-decoded exactly once the way forms are (`+` is a space), so clients must send
 * `encodeURIComponent(path)`: the object `a%2Fb` is asked for as `a%252Fb`.
 * @throws DomainError Malformed
 */
export function objectPath(url: string): string {
  const path = queryParameter(url, 'path');
  if (path === undefined) throw missingParameters();
  return normalizeUfsPath(path);
}

/** A parameter, decoded in the same way; undefined where it is absent or empty. @throws DomainError Malformed */
export function queryParameter(url: string, name: string): string | undefined {
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const given = query.split('&').filter((pair) => pair.startsWith(`${name}=`));
  if (given.length > 1) throw new DomainError('Malformed', `repeated-${name}`, `${name} must be given once`);
  const encoded = given[0]?.slice(name.length + 1) ?? '';
  return encoded === '' ? undefined : decode(encoded, name);
}

/** A whole number within bounds; the default where it is absent. @throws DomainError Malformed */
export function integerParameter(url: string, name: string, bounds: { min: number; max: number; byDefault: number }) {
  const text = queryParameter(url, name);
  if (text === undefined) return bounds.byDefault;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  const range = `a whole number from ${bounds.min} to ${bounds.max}`;
  throw new DomainError('Malformed', `bad-${name}`, `${name} must be ${range}`);
}

/** `true` or `false`; the default where it is absent. @throws DomainError Malformed */
export function flagParameter(url: string, name: string, byDefault: boolean): boolean {
  const text = queryParameter(url, name);
  if (text === undefined) return byDefault;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new DomainError('Malformed', `bad-${name}`, `${name} must be true or false`);
}

/** Stricter than URLSearchParams: that replaces invalid UTF-8 by U+FFFD and so makes another object's name of it. */
function decode(encoded: string, name: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch (cause) {
    throw new DomainError('Malformed', 'bad-encoding', `${name} must be percent-encoded UTF-8`, { cause });
  }
}
