import type { Bucket, StoredObject } from './bucket.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';
import { shownEtag, shownTime, type ValidatorBend } from './validators.js';
import { xmlDocument, type XmlElement } from './xml.js';

interface Page {
  objects: StoredObject[];
  commonPrefixes: string[];
  /** The key or common prefix that the page ends with, when there is more. */
  last?: string;
}

/** ListObjectsV2 and its older form (Amazon S3 API reference). */
export async function listObjects(
  bucket: Bucket,
  request: S3RequestInfo,
  maxKeysPerPage: number,
  bend?: ValidatorBend,
): Promise<Buffer> {
  const { query } = request;
  const isV2 = request.operation === 'ListObjectsV2';
  const token = query.get('continuation-token');
  const after = token === null ? (query.get(isV2 ? 'start-after' : 'marker') ?? '') : fromToken(token);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxKeys = Number(query.get('max-keys') ?? maxKeysPerPage);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) throw new S3Error(400, 'InvalidArgument', 'max-keys is no number.');
  const sorted = await bucket.sorted(after === '');
  const page = takePage(sorted, prefix, after, delimiter, Math.min(maxKeys, maxKeysPerPage));
  const isUrl = query.get('encoding-type') === 'url';
  const encode = isUrl ? encodeUrl : (text: string): string => text;
  const common: XmlElement = {
    Name: request.bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: maxKeys,
    EncodingType: isUrl ? 'url' : undefined,
    IsTruncated: page.last !== undefined,
    Contents: page.objects.map((object) => ({
      Key: encode(object.key),
      LastModified: shownTime(object, 'list', bend)?.toISOString(),
      ETag: shownEtag(object, 'list', bend),
      Size: object.sizeBytes,
      StorageClass: 'STANDARD',
    })),
    CommonPrefixes: page.commonPrefixes.map((common) => ({ Prefix: encode(common) })),
  };
  const paging: XmlElement = isV2
    ? {
        KeyCount: page.objects.length + page.commonPrefixes.length,
        ContinuationToken: token ?? undefined,
        NextContinuationToken: page.last === undefined ? undefined : toToken(page.last),
        StartAfter: query.has('start-after') ? encode(after) : undefined,
      }
    : { Marker: encode(after), NextMarker: page.last === undefined ? undefined : encode(page.last) };
  return xmlDocument('ListBucketResult', { ...common, ...paging });
}

function takePage(
  sorted: readonly StoredObject[],
  prefix: string,
  after: string,
  delimiter: string,
  limit: number,
): Page {
  const page: Page = { objects: [], commonPrefixes: [] };
  const from = Buffer.from(after);
  let last: string | undefined;
  for (const object of sorted.slice(firstCandidate(sorted, prefix, from))) {
    if (!object.key.startsWith(prefix)) break;
    const cut = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length);
    const item = cut < 0 ? object.key : object.key.slice(0, cut + delimiter.length);
    if (cut >= 0 && (item === last || Buffer.compare(Buffer.from(item), from) <= 0)) continue;
    if (page.objects.length + page.commonPrefixes.length >= limit)
      return { ...page, last: limit === 0 ? undefined : last };
    if (cut < 0) page.objects.push(object);
    else page.commonPrefixes.push(item);
    last = item;
  }
  return page;
}

/** Index of the first key that is not below `prefix` and lies after `after`. */
function firstCandidate(sorted: readonly StoredObject[], prefix: string, after: Buffer): number {
  const start = Buffer.from(prefix);
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = Buffer.from(sorted[middle]?.key ?? '');
    if (Buffer.compare(key, start) < 0 || (after.length > 0 && Buffer.compare(key, after) <= 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As Amazon S3 does it: like a form field, but `/` stays. */
function encodeUrl(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+');
}

/** Not the bare key, so that a client which builds tokens itself is found out. */
function toToken(last: string): string {
  return `t${Buffer.from(last).toString('base64url')}`;
}

function fromToken(token: string): string {
  if (!/^t[\w-]+$/.test(token)) throw new S3Error(400, 'InvalidArgument', 'The continuation token is incorrect.');
  return Buffer.from(token.slice(1), 'base64url').toString();
}
