import { createHmac, hash } from 'node:crypto';
import type { S3Credentials } from './s3-credentials.js';
import { encodeValue } from './s3-path.js';

export interface SignedRequest {
  method: 'GET' | 'HEAD';
  /** As it is sent, with the query. */
  path: string;
  region: string;
  /** Names in lower case; with `host`. */
  headers: Record<string, string>;
  /** By the server's clock. */
  atMs: number;
}

/** The key of one day and region. */
interface SigningKey {
  /** `20260102/eu-west-1/s3/aws4_request` */
  scope: string;
  /** HMAC-SHA256 with this key, in hexadecimal digits. */
  authenticate: (text: string) => string;
}

const algorithm = 'AWS4-HMAC-SHA256';

/**
 * Signs requests without a body with AWS Signature Version 4, in the Authorization header ("Authenticating Requests:
 * Using the Authorization Header", Amazon S3 API Reference). What many requests share, the time of a second and the key
 * of a day, is computed once.
 */
export class RequestSigner {
  private second = -1;
  /** `20260102T030405Z` */
  private time = '';
  private readonly keys = new Map<string, SigningKey>();

  constructor(private readonly credentials: S3Credentials) {}

  /** The headers to send, with those of the signature. */
  sign({ method, path, region, headers, atMs }: SignedRequest): Record<string, string> {
    const time = this.timeOf(atMs);
    const { scope, authenticate } = this.keyOf(time.slice(0, 8), region);
    const { accessKeyId, sessionToken } = this.credentials;
    const all: Record<string, string> = { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': time };
    if (sessionToken !== undefined) all['x-amz-security-token'] = sessionToken;
    // Caches on the way may ask for other ranges.
    const names = Object.keys(all)
      .filter((name) => name !== 'range')
      .sort();
    const signedHeaders = names.join(';');
    let canonical = `${method}\n${canonicalTarget(path)}\n`;
    for (const name of names) canonical += `${name}:${canonicalValue(all[name])}\n`;
    canonical += `\n${signedHeaders}\nUNSIGNED-PAYLOAD`;
    const toSign = `${algorithm}\n${time}\n${scope}\n${hash('sha256', canonical, 'hex')}`;
    all.authorization =
      `${algorithm} Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, ` +
      `Signature=${authenticate(toSign)}`;
    return all;
  }

  private timeOf(atMs: number): string {
    const second = Math.floor(atMs / 1000);
    if (second === this.second) return this.time;
    this.second = second;
    return (this.time = new Date(second * 1000).toISOString().replace(/[-:]|\.\d{3}/g, ''));
  }

  private keyOf(day: string, region: string): SigningKey {
    const scope = `${day}/${region}/s3/aws4_request`;
    const known = this.keys.get(scope);
    if (known !== undefined) return known;
    const steps = [day, region, 's3', 'aws4_request'];
    const key = steps.reduce<Buffer>(
      (by, text) => createHmac('sha256', by).update(text).digest(),
      Buffer.from(`AWS4${this.credentials.secretAccessKey}`),
    );
    // The keys of other days are not needed any more.
    for (const other of this.keys.keys()) if (!other.startsWith(day)) this.keys.delete(other);
    const made = { scope, authenticate: hmacWith(key) };
    this.keys.set(scope, made);
    return made;
  }
}

const blockBytes = 64;
const digestBytes = 32;

/** HMAC-SHA256 (RFC 2104) by one-shot hashes, which cost half of what an `Hmac` object does for a text this short. */
function hmacWith(key: Buffer): (text: string) => string {
  const padded = Buffer.alloc(blockBytes);
  key.copy(padded);
  const inner = padded.map((byte) => byte ^ 0x36);
  const outer = Buffer.alloc(blockBytes + digestBytes);
  padded.forEach((byte, i) => (outer[i] = byte ^ 0x5c));
  return (text) => {
    hash('sha256', Buffer.concat([inner, Buffer.from(text)]), 'buffer').copy(outer, blockBytes);
    return hash('sha256', outer, 'hex');
  };
}

/** Nothing in it has a form that the canonical one could differ from. */
const plainPath = /^[A-Za-z0-9\-._~/]*$/;

/** The path and the query in their canonical forms, on two lines. The path is encoded once, as S3 alone has it. */
function canonicalTarget(path: string): string {
  if (plainPath.test(path)) return `${path}\n`;
  const [pathname = '', ...rest] = path.split('?');
  const canonicalPath = pathname.split('/').map(encodedOnce).join('/');
  const query = rest.join('?');
  if (query === '') return `${canonicalPath}\n`;
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map(canonicalPair);
  return `${canonicalPath}\n${pairs.sort().join('&')}`;
}

function canonicalPair(pair: string): string {
  const [name = '', ...value] = pair.split('=');
  return `${encodedOnce(name)}=${encodedOnce(value.join('='))}`;
}

/** The address of a redirection may be encoded in another way than Larder does it, or not at all. */
function encodedOnce(text: string): string {
  try {
    return encodeValue(decodeURIComponent(text));
  } catch {
    return encodeValue(text);
  }
}

function canonicalValue(value: string): string {
  return value.includes(' ') ? value.trim().replace(/ +/g, ' ') : value;
}
