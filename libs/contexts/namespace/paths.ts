import { DomainError } from '#kernel';
import { connectorMeant, connectors, type ConnectorDeclaration } from '#ufs/declarations';

/**
 * Makes paths canonical that users write. There are two kinds: *namespace paths* (`/data/dir`, below a mount) and *UFS
 * paths* (`s3://bucket/key`, `file:///dir/file`). Both are literal: nothing is percent-decoded or Unicode-normalised,
 * because `a%2Fb` and `a/b` are different objects.
 */

/** Near the limits of S3 for a key and of the cache for a path. A longer path could never be loaded. */
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

const ufsPath = /^([a-z0-9+.-]+):\/\/([^/]*)(\/.*)?$/i;

/** An example for each connector, in one text: `s3://bucket/dir or file:///dir`. */
export function ufsExamples(of: keyof ConnectorDeclaration['examples']): string {
  return inWords(
    connectors.map(({ examples }) => examples[of]),
    'or',
  );
}

function inWords(items: readonly string[], last: 'and' | 'or'): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`;
}

/**
 * A UFS path in canonical form. `s3://bucket` becomes `s3://bucket/`. Repeated slashes become one if the connector
 * declares that they mean nothing, as in `file://`; they are kept in S3 keys. A trailing slash is kept: it means "only
 * what is below".
 * @throws DomainError Malformed, naming the field and what was expected
 */
export function normalizeUfsPath(path: string, field = 'path'): string {
  checkText(path, field);
  const match = ufsPath.exec(path);
  if (!match) {
    throw malformed('not-a-ufs-path', `${field} must be a UFS path such as ${ufsExamples('path')}: ${path}`);
  }
  const [, scheme, authority, rest = '/'] = match;
  checkSegments(rest.split('/'), path, field);
  const connector = connectorMeant(scheme.toLowerCase());
  if (!connector) {
    const supported = inWords(
      connectors.map((known) => known.scheme),
      'and',
    );
    throw malformed('unknown-scheme', `${field} has the scheme '${scheme}'; supported are ${supported}: ${path}`);
  }
  const fault = connector.authorityFault(authority);
  if (fault) throw malformed(fault.code, `${field} ${fault.sentence}: ${path}`);
  return canonical(connector, authority, rest);
}

/** The form in which UFS paths are compared. Nothing is checked: a text that is no UFS path stays unchanged. */
export function plainUfsPath(path: string): string {
  const [, scheme = '', authority = '', rest = ''] = ufsPath.exec(path) ?? [];
  const connector = connectorMeant(scheme);
  return connector ? canonical(connector, authority, rest) : path;
}

function canonical({ scheme, collapsesSlashes }: ConnectorDeclaration, authority: string, rest: string): string {
  return `${scheme}://${authority}${collapsesSlashes ? rest.replace(/\/{2,}/g, '/') : rest}`;
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
