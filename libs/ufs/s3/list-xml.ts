import { XMLParser } from 'fast-xml-parser';
import { versionOf } from '../version.js';

export interface ListedKey {
  key: string;
  sizeBytes: number;
  /** By its ETag and its time, as far as the listing has them; both are optional (`version.ts`). */
  version: string;
}

export interface KeyPage {
  keys: ListedKey[];
  isTruncated: boolean;
  continuationToken?: string;
}

const namedReferences: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five names that XML predefines, and character references (XML 1.0, 4.1 and 4.6). */
function decodeReferences(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (typeof name === 'string') return namedReferences[name] ?? whole;
    const code = typeof hex === 'string' ? parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** No guessing of types and no trimming: `007`, `true` and ` x` are keys, and must arrive as they are. */
const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  isArray: (_name, path) => path === 'ListBucketResult.Contents',
  entityDecoder: {
    decode: decodeReferences,
    // An S3 answer defines no entities; one that does keeps them as they are.
    addInputEntities: () => undefined,
    setExternalEntities: () => undefined,
    setXmlVersion: () => undefined,
    reset: () => undefined,
  },
});

interface ListBucketResult {
  IsTruncated?: string;
  NextContinuationToken?: string;
  EncodingType?: string;
  Contents?: { Key?: string; Size?: string; ETag?: string; LastModified?: string }[];
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
  for (const { Key, Size, ETag, LastModified } of result.Contents ?? []) {
    const sizeBytes = Number(Size);
    const key = Key === undefined ? undefined : decode(Key);
    if (key === undefined || !Size || !Number.isSafeInteger(sizeBytes)) return undefined;
    keys.push({ key, sizeBytes, version: versionOf({ etag: ETag, lastModified: LastModified }) });
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

/** Servers write a space as `+` or `%20`, and always `%2B` for `+`. */
function decodeUrl(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    // URIError: `%` without two digits, or bytes that are not UTF-8. Neither comes from an S3 server.
    return undefined;
  }
}
