import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { S3Error } from './s3-error.js';

export interface S3TestCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

const maxSkewMs = 15 * 60 * 1000;

/**
 * Verifies a request's AWS Signature Version 4. Written from the specification, without the signing library that the
 * product uses (AWS General Reference, "Create a signed AWS API request"; Amazon S3, "Authenticating Requests: Using
 * the Authorization Header").
 * @throws S3Error as S3 answers it
 */
export function verifySignature(request: IncomingMessage, credentials: S3TestCredentials, region: string): void {
  const authorization = parseAuthorization(request.headers.authorization ?? '');
  const [accessKeyId, day, scopeRegion, service, terminator] = authorization.credential.split('/');
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  if (scopeRegion !== region) {
    const sentence = `the region '${scopeRegion}' is wrong; expecting '${region}'`;
    throw new S3Error(400, 'AuthorizationHeaderMalformed', sentence, { Region: region });
  }
  if (service !== 's3' || terminator !== 'aws4_request') throw malformed();
  const timestamp = header(request, 'x-amz-date');
  assertFresh(timestamp);
  if (!timestamp.startsWith(`${day}T`)) throw malformed();
  assertSigned(request, authorization.signedHeaders);
  if (header(request, 'x-amz-security-token') !== (credentials.sessionToken ?? '')) {
    throw new S3Error(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  const stringToSign = [
    'AWS4-HMAC-SHA256',
    timestamp,
    `${day}/${region}/s3/aws4_request`,
    sha256(canonicalRequest(request, authorization.signedHeaders)),
  ].join('\n');
  const signingKey = [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part ?? ''),
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  );
  if (hmac(signingKey, stringToSign).toString('hex') === authorization.signature) return;
  const sentence = 'The request signature we calculated does not match the signature you provided.';
  throw new S3Error(403, 'SignatureDoesNotMatch', sentence);
}

function parseAuthorization(value: string): { credential: string; signedHeaders: string[]; signature: string } {
  const [, credential, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(value) ?? [];
  if (credential === undefined || names === undefined || signature === undefined) throw malformed();
  return { credential, signedHeaders: names.split(';'), signature };
}

function assertFresh(timestamp: string): void {
  const iso = timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const skewMs = Math.abs(Date.parse(iso) - Date.now());
  if (Number.isNaN(skewMs)) throw new S3Error(403, 'AccessDenied', 'AWS authentication requires a valid x-amz-date.');
  if (skewMs > maxSkewMs) {
    throw new S3Error(403, 'RequestTimeTooSkewed', 'The difference between the request time and now is too large.');
  }
}

/** S3 requires that the host and every x-amz- header are signed. */
function assertSigned(request: IncomingMessage, signedHeaders: string[]): void {
  const required = ['host', ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))];
  const missing = required.filter((name) => !signedHeaders.includes(name));
  if (missing.length === 0) return;
  throw new S3Error(
    403,
    'AccessDenied',
    `There were headers present in the request which were not signed: ${missing.join(', ')}`,
  );
}

function canonicalRequest(request: IncomingMessage, signedHeaders: string[]): string {
  const [path = '/', query = ''] = splitOnce(request.url ?? '/', '?');
  return [
    request.method ?? 'GET',
    path.split('/').map(reencode).join('/'),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    header(request, 'x-amz-content-sha256'),
  ].join('\n');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  return query
    .split('&')
    .map((pair) => splitOnce(pair, '=').map(reencode))
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name = '', value = '']) => `${name}=${value}`)
    .join('&');
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Percent-encodes every byte except the unreserved ones, also where the client had encoded differently. */
function reencode(text: string): string {
  const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return decoded.replace(
    /[^A-Za-z0-9\-._~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function malformed(): S3Error {
  return new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header you provided is invalid.');
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
