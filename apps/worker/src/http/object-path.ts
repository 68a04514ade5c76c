import { normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { missingParameters } from '#runtime';

/**
 * The UFS path of `?path=…`, percent-decoded exactly once the way forms are (`+` is a space), so clients must send
 * `encodeURIComponent(path)`: the object `a%2Fb` is asked for as `a%252Fb`.
 * @throws DomainError Malformed
 */
export function objectPath(url: string): string {
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const given = query.split('&').filter((pair) => pair.startsWith('path='));
  if (given.length > 1) throw new DomainError('Malformed', 'repeated-path', 'path must be given once');
  const encoded = given[0]?.slice('path='.length) ?? '';
  if (encoded === '') throw missingParameters();
  return normalizeUfsPath(decode(encoded));
}

/** Stricter than URLSearchParams, which turns what is not UTF-8 into U+FFFD and so into another object's name. */
function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch (cause) {
    throw new DomainError('Malformed', 'bad-encoding', 'path must be percent-encoded UTF-8', { cause });
  }
}
