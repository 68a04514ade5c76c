import { DomainError } from '#kernel';
import { isBucketName } from '#ufs/options';

/**
 * Paths as users write them, made canonical. Two kinds exist: *namespace paths* (`/data/dir`, below a mount) and *UFS
 * paths* (`s3://bucket/key`, `file:///dir/file`). Both are taken literally: nothing is percent-decoded or
 * Unicode-normalised, because `a%2Fb` and `a/b` are different objects.
 */

export type UfsScheme = 's3' | 'file';

/** S3's limit for a key, and the cache's for a path, is near; a longer one could never be loaded. */
const maxPathBytes = 1900;

function malformed(code: string, message: string): DomainError {
  return new DomainError('Malformed', code, message);
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c === 0x7f) return true;
  }
  return false;
}

function checkText(path: string, field: string): void {
  if (hasControlCharacter(path)) throw malformed('control-character', `${field} holds a control character`);
  // A lone surrogate has no UTF-8 form: it could not name the same object twice.
  if (!path.isWellFormed()) throw malformed('not-unicode', `${field} is not well-formed Unicode`);
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw malformed('path-too-long', `${field} is longer than ${maxPathBytes} bytes`);
  }
}

function checkSegments(segments: readonly string[], path: string, field: string): void {
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw malformed('dot-segment', `${field} must not hold '.' or '..' segments: ${path}`);
  }
}

/**
 * `/data`, `/data/` and `//data` all become `/data/`.
 * @throws DomainError Malformed
 */
export function normalizeNamespacePath(path: string, field = 'path'): string {
  checkText(path, field);
  if (!path.startsWith('/')) throw malformed('not-absolute', `${field} must start with '/': ${path}`);
  const segments = path.split('/').filter((segment) => segment !== '');
  checkSegments(segments, path, field);
  return segments.length === 0 ? '/' : `/${segments.join('/')}/`;
}

/**
 * A UFS path in canonical form. `s3://bucket` becomes `s3://bucket/`; in `file://` repeated slashes collapse, in S3
 * keys they are kept, for there they mean something. A trailing slash is kept: it says "only what is below".
 * @throws DomainError Malformed, naming the field and what was expected
 */
export function normalizeUfsPath(path: string, field = 'path'): string {
  checkText(path, field);
  const match = /^([a-z0-9+.-]+):\/\/([^/]*)(\/.*)?$/i.exec(path);
  if (!match) {
    throw malformed('not-a-ufs-path', `${field} must be a UFS path such as s3://bucket/dir or file:///dir: ${path}`);
  }
  const [, scheme, authority, rest = '/'] = match;
  checkSegments(rest.split('/'), path, field);
  switch (scheme.toLowerCase()) {
    case 's3':
    case 's3a':
      if (!isBucketName(authority)) throw malformed('bad-bucket', `${field} names no valid S3 bucket: ${path}`);
      return `s3://${authority}${rest}`;
    case 'file':
      if (authority !== '') {
        throw malformed('file-with-host', `${field} must have the form file:///absolute/path: ${path}`);
      }
      return `file://${rest.replace(/\/{2,}/g, '/')}`;
    default:
      throw malformed('unknown-scheme', `${field} has the scheme '${scheme}'; supported are s3 and file: ${path}`);
  }
}

/** A mount's UFS root: canonical, ending with `/`. */
export function normalizeUfsRoot(ufs: string, field = 'ufs'): string {
  const path = normalizeUfsPath(ufs, field);
  return path.endsWith('/') ? path : `${path}/`;
}

/** Whether `path` is `root` itself or below it. `root` ends with `/`; `path` may or may not. */
export function isWithin(root: string, path: string): boolean {
  return path.startsWith(root) || `${path}/` === root;
}
