import type { Bucket, StoredObject } from './bucket.js';
import { isPlain, type ListingManners } from './listing-manners.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';
import { shownEtag, shownTime, type ValidatorBend } from './validators.js';
import { xmlDocument, type XmlElement } from './xml.js';

interface Page {
  objects: StoredObject[];
  commonPrefixes: string[];
  /** Where the next page begins, when there is one: the key or common prefix at the end of this page, or an offset. */
  next?: string;
}

/** ListObjectsV2 and its older form (Amazon S3 API reference), changed by the manners. */
export async function listObjects(
  bucket: Bucket,
  request: S3RequestInfo,
  maxKeysPerPage: number,
  manners: ListingManners = {},
  bend?: ValidatorBend,
): Promise<Buffer> {
  const { query } = request;
  const isV2 = request.operation === 'ListObjectsV2' && manners.form === undefined;
  if (request.operation === 'ListObjectsV2' && manners.form === 'V1 alone') {
    throw new S3Error(501, 'NotImplemented', 'The list-type that you asked for is not implemented.');
  }
  const asked = query.get('max-keys') ?? maxKeysPerPage;
  const maxKeys = Number(asked);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) throw new S3Error(400, 'InvalidArgument', 'max-keys is no number.');
  const limit = Math.min(maxKeys, maxKeysPerPage);
  const page = isPlain(manners)
    ? await pageInOrder(bucket, query, isV2, limit)
    : await pageOf(bucket, query, isV2, limit, manners);
  return xmlDocument('ListBucketResult', content(request, page, isV2, maxKeys, bend));
}

function content(
  { bucket, query }: S3RequestInfo,
  page: Page,
  isV2: boolean,
  maxKeys: number,
  bend?: ValidatorBend,
): XmlElement {
  const isUrl = query.get('encoding-type') === 'url';
  const encode = isUrl ? encodeUrl : (text: string): string => text;
  const delimiter = query.get('delimiter') ?? '';
  const startAfter = query.get('start-after');
  const common: XmlElement = {
    Name: bucket,
    Prefix: encode(query.get('prefix') ?? ''),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: maxKeys,
    EncodingType: isUrl ? 'url' : undefined,
    IsTruncated: page.next !== undefined,
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
        ContinuationToken: query.get('continuation-token') ?? undefined,
        NextContinuationToken: page.next === undefined ? undefined : toToken(page.next),
        StartAfter: startAfter === null ? undefined : encode(startAfter),
      }
    : {
        Marker: encode(query.get('marker') ?? ''),
        NextMarker: page.next === undefined ? undefined : encode(page.next),
      };
  return { ...common, ...paging };
}

async function pageInOrder(bucket: Bucket, query: URLSearchParams, isV2: boolean, limit: number): Promise<Page> {
  const token = isV2 ? query.get('continuation-token') : null;
  const after = token === null ? (query.get(isV2 ? 'start-after' : 'marker') ?? '') : fromToken(token);
  const sorted = await bucket.sorted(after === '');
  return takePage(sorted, query.get('prefix') ?? '', after, query.get('delimiter') ?? '', limit);
}

/** How many unique tokens were made. */
let freshTokens = 0;

/** Pages are identified by offsets into the store's own order. Delimiters are not supported here. */
async function pageOf(
  bucket: Bucket,
  query: URLSearchParams,
  isV2: boolean,
  limit: number,
  manners: ListingManners,
): Promise<Page> {
  const below = (await bucket.sorted(true)).filter(({ key }) => key.startsWith(query.get('prefix') ?? ''));
  const all = manners.order === undefined ? below : [...below].sort((a, b) => manners.order!(a.key, b.key));
  const position = isV2 ? query.get('continuation-token') : query.get('marker');
  const startAfter = isV2 && manners.startAfter !== 'ignored' ? query.get('start-after') : null;
  let offset = 0;
  let listed = all;
  if (position !== null) {
    if (manners.refusesTokens?.() === true) throw new S3Error(400, 'InvalidArgument', 'The token has expired.');
    offset = Number((isV2 ? fromToken(position) : position).split('~')[0]);
  } else if (startAfter !== null) {
    listed = all.filter(({ key }) => Buffer.compare(Buffer.from(key), Buffer.from(startAfter)) > 0);
    offset = 0;
  }
  if (!Number.isInteger(offset)) throw new S3Error(400, 'InvalidArgument', 'The position is not one of ours.');
  const taken = listed.slice(offset, offset + Math.min(limit, manners.pageLength?.(offset) ?? limit));
  const end = all.length - listed.length + offset + taken.length;
  const next = manners.next === undefined ? end : manners.next(end, all.length);
  return {
    objects: manners.page?.(taken, offset) ?? taken,
    commonPrefixes: [],
    ...(next === undefined || (manners.next === undefined && end >= all.length)
      ? {}
      : { next: manners.freshTokens === true ? `${next}~${++freshTokens}` : String(next) }),
  };
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
      return { ...page, next: limit === 0 ? undefined : last };
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

/** Encodes as Amazon S3 does: like a form field, but `/` stays. */
function encodeUrl(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+');
}

/** Not the bare key, so that a client which builds tokens itself fails. */
function toToken(last: string): string {
  return `t${Buffer.from(last).toString('base64url')}`;
}

function fromToken(token: string): string {
  if (!/^t[\w-]+$/.test(token)) throw new S3Error(400, 'InvalidArgument', 'The continuation token is incorrect.');
  return Buffer.from(token.slice(1), 'base64url').toString();
}
