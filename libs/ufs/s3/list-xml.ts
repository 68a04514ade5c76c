import { XMLParser } from 'fast-xml-parser';

export interface ListedKey {
  key: string;
  sizeBytes: number;
  etag: string;
}

export interface KeyPage {
  keys: ListedKey[];
  isTruncated: boolean;
  continuationToken?: string;
}

/** No guessing of types and no trimming: `007`, `true` and ` x` are keys, and must arrive as they are. */
const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  isArray: (_name, path) => path === 'ListBucketResult.Contents',
  // The limits are meant for documents that define entities. Here there are two &quot; around each ETag.
  processEntities: { maxTotalExpansions: Infinity, maxExpandedLength: Infinity },
});

interface ListBucketResult {
  IsTruncated?: string;
  NextContinuationToken?: string;
  EncodingType?: string;
  Contents?: { Key?: string; Size?: string; ETag?: string }[];
}

/**
 * Reads an answer to ListObjectsV2 (Amazon S3 API reference, ListObjectsV2, Response Syntax).
 * @returns undefined when the text is no such answer, or not a whole one
 */
export function parseKeyPage(xml: string): KeyPage | undefined {
  if (!xml.trimEnd().endsWith('</ListBucketResult>')) return undefined;
  const result = (parser.parse(xml) as { ListBucketResult?: ListBucketResult | string }).ListBucketResult;
  if (typeof result !== 'object') return undefined;
  const decode = result.EncodingType === 'url' ? decodeUrl : (key: string) => key;
  const keys: ListedKey[] = [];
  for (const { Key, Size, ETag } of result.Contents ?? []) {
    const sizeBytes = Number(Size);
    if (Key === undefined || ETag === undefined || !Size || !Number.isSafeInteger(sizeBytes)) return undefined;
    keys.push({ key: decode(Key), sizeBytes, etag: unquote(ETag) });
  }
  const isTruncated = result.IsTruncated === 'true';
  return { keys, isTruncated, continuationToken: result.NextContinuationToken };
}

/** What an error answer tells: the code, and the region a bucket is in. Both only where they look like one. */
export function parseErrorBody(xml: string): { code?: string; region?: string } {
  return {
    code: /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(xml)?.[1],
    region: /<Region>([a-z0-9-]{1,64})<\/Region>/.exec(xml)?.[1],
  };
}

export function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1');
}

/** Servers write a space as `+` or `%20`, and always `%2B` for `+`. */
function decodeUrl(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}
