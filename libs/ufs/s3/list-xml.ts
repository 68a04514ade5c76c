import { isUtf8 } from 'node:buffer';
import { XMLParser } from 'fast-xml-parser';
import { printable } from '../names.js';
import { UfsError } from '../types.js';
import { versionOf } from '../version.js';
import { scanListing } from './list-scan.js';

/** One entry of a listing. With `fault` it can never be loaded; `name` is the text in place of an unknown key. */
export type ListedEntry =
  | {
      key: string;
      sizeBytes: number;
      /** By its ETag and its time, as far as the listing has them; both are optional (`version.ts`). */
      version: string;
      name?: undefined;
      fault?: undefined;
    }
  | { key?: string; name?: string; fault: string };

export interface KeyPage {
  /** In the order of the answer. */
  entries: ListedEntry[];
  /** Undefined where the answer does not say. */
  isTruncated?: boolean;
  /** `NextContinuationToken` of ListObjectsV2. */
  token?: string;
  /** `NextMarker` of ListObjects. */
  nextMarker?: string;
  /** The answer has the form of ListObjects, for any request: a `Marker`, or nothing that only V2 has. */
  isV1: boolean;
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

/** Types are not guessed and text is not trimmed: `007`, `true` and ` x` are keys, and must arrive unchanged. */
const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  isArray: (name) => name === 'Contents' || name === 'CommonPrefixes',
  entityDecoder: {
    decode: decodeReferences,
    // An S3 answer defines no entities. An answer that does is refused before this.
    addInputEntities: () => undefined,
    setExternalEntities: () => undefined,
    setXmlVersion: () => undefined,
    reset: () => undefined,
  },
});

/** The parser's result for an element: text, child elements, or a list where it came more than once. */
type Parsed = string | { [name: string]: Parsed } | Parsed[];

/**
 * Reads an answer to ListObjectsV2 or ListObjects (Amazon S3 API reference, Response Syntax). The parts that decide
 * whether and where the listing continues must be as documented. A malformed entry is a fault of that entry alone.
 * @throws UfsError `Unavailable` when it is no such answer, or not a whole one; `Invalid` when its content cannot be
 *   understood
 */
export function parseKeyPage(body: Buffer, path: string): KeyPage {
  const hasBrokenText = !isUtf8(body);
  const usual = hasBrokenText ? undefined : scanListing(body.toString('utf8'), decodeReferences);
  return keyPageOf(usual ?? parseResult(body, path), path, hasBrokenText);
}

/** As `parseKeyPage`, by the general parser alone. */
export function parseAnyKeyPage(body: Buffer, path: string): KeyPage {
  return keyPageOf(parseResult(body, path), path, !isUtf8(body));
}

function keyPageOf(result: Record<string, Parsed>, path: string, hasBrokenText: boolean): KeyPage {
  if (elements(result['CommonPrefixes']).length > 0) {
    throw misread(path, 'leaves keys out (CommonPrefixes) although no delimiter was asked for');
  }
  const encoding = textOf(path, result, 'EncodingType')?.trim() ?? '';
  if (encoding !== '' && encoding !== 'url') throw misread(path, 'has an EncodingType other than url');
  const decode = encoding === 'url' ? decodeUrl : (key: string) => key;
  const marker = textOf(path, result, 'NextMarker');
  const token = nonEmpty(textOf(path, result, 'NextContinuationToken'));
  return {
    entries: elements(result['Contents']).map((content) => entryOf(content, decode, hasBrokenText)),
    isTruncated: flagOf(path, result),
    token,
    // A marker that cannot be decoded was not encoded.
    nextMarker: nonEmpty(marker) && (decode(marker!) ?? marker),
    isV1: token === undefined && (result['Marker'] !== undefined || result['KeyCount'] === undefined),
  };
}

/** The common prefixes of an answer to ListObjectsV2 with a delimiter. Those that cannot be read are left out. */
export function parseDirectories(body: Buffer, path: string): { names: string[]; isWhole: boolean } {
  const result = parseResult(body, path);
  const decode = textOf(path, result, 'EncodingType')?.trim() === 'url' ? decodeUrl : (name: string) => name;
  const names = elements(result['CommonPrefixes']).flatMap((element) => {
    const prefix = plain((element as Record<string, Parsed>)['Prefix']);
    return (prefix === undefined ? undefined : decode(prefix)) ?? [];
  });
  return { names, isWhole: flagOf(path, result) === false };
}

function parseResult(body: Buffer, path: string): Record<string, Parsed> {
  const xml = body.toString('utf8').replace(/^\ufeff/, '');
  const start = xml.search(/<(?:[\w.-]+:)?ListBucketResult[\s/>]/);
  const prolog = xml.slice(0, Math.max(start, 0));
  if (/<!DOCTYPE/i.test(prolog)) throw misread(path, 'has a document type declaration, which is refused');
  const charset = /^\s*<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)/.exec(prolog)?.[1] ?? 'utf-8';
  if (!/^(?:utf-?8|us-ascii)$/i.test(charset)) throw misread(path, 'is not in UTF-8');
  if (start < 0 || !isWhole(xml)) throw notWhole(path);
  try {
    const result = (parser.parse(xml) as Record<string, Parsed>)['ListBucketResult'];
    if (typeof result === 'object' && !Array.isArray(result)) return result;
    if (result === '') return {};
  } catch {
    // Elements that are not closed, or not correctly: the error below covers it.
  }
  throw notWhole(path);
}

/** Whether only comments and the like follow the end of the result: the parser itself closes open elements. */
function isWhole(xml: string): boolean {
  let end = xml.trimEnd();
  for (const [open, close] of [
    ['<!--', '-->'],
    ['<?', '?>'],
    ['<!--', '-->'],
  ] as const) {
    while (end.endsWith(close) && end.includes(open)) end = end.slice(0, end.lastIndexOf(open)).trimEnd();
  }
  return /<\/(?:[\w.-]+:)?ListBucketResult\s*>$|<(?:[\w.-]+:)?ListBucketResult[^<>]*\/>$/.test(end.slice(-1000));
}

function entryOf(content: Parsed, decode: (key: string) => string | undefined, hasBrokenText: boolean): ListedEntry {
  const { Key, Size, ETag, LastModified } = typeof content === 'object' ? (content as Record<string, Parsed>) : {};
  if (typeof Key !== 'string' || Key === '') return { fault: 'An entry of the listing has no Key.' };
  const key = decode(Key);
  if (key === undefined) return { name: Key, fault: 'The key is not URL-encoded, as the listing announces.' };
  if (hasBrokenText && key.includes('\ufffd'))
    return { name: key, fault: 'The key is not valid UTF-8 in the listing.' };
  const size = typeof Size === 'string' ? Size.trim() : '';
  if (!/^\d{1,16}$/.test(size) || !Number.isSafeInteger(Number(size))) {
    return { key, fault: 'The listing has no whole number of bytes for the key.' };
  }
  const version = versionOf({ etag: plain(ETag), lastModified: plain(LastModified) });
  return { key, sizeBytes: Number(size), version };
}

/** Without empty elements: some serializers write one in place of none. */
function elements(value: Parsed | undefined): Parsed[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object') : [];
}

function plain(value: Parsed | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function flagOf(path: string, result: Record<string, Parsed>): boolean | undefined {
  const word = textOf(path, result, 'IsTruncated')?.trim();
  if (word === undefined || word === '') return undefined;
  if (word === 'true' || word === 'false') return word === 'true';
  throw misread(path, `has an IsTruncated that is neither true nor false (${printable(word.slice(0, 40))})`);
}

/** @throws UfsError `Invalid` for an element that is not text, or that came twice */
function textOf(path: string, result: Record<string, Parsed>, name: string): string | undefined {
  const value = result[name];
  if (value === undefined || typeof value === 'string') return value;
  throw misread(path, `has a ${name} that is no single text`);
}

function nonEmpty<T extends Parsed>(value: T | undefined): T | undefined {
  return typeof value === 'string' && value.trim() === '' ? undefined : value;
}

function notWhole(path: string): UfsError {
  return new UfsError('Unavailable', path, `The server's answer is no S3 listing, or not a whole one: ${path}.`);
}

/** Not worth another try: the server answers so on purpose. */
export function misread(path: string, what: string): UfsError {
  return new UfsError('Invalid', path, `The server's listing ${what}: ${path}.`);
}

/** The code and the bucket's region in an error answer. Each only where it has the right form. */
export function parseErrorBody(xml: string): { code?: string; region?: string } {
  return {
    code: /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(xml)?.[1],
    region: /<Region>([A-Za-z0-9-]{1,64})<\/Region>/.exec(xml)?.[1],
  };
}

/** Servers write a space as `+` or `%20`, and always `%2B` for `+`. */
function decodeUrl(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    // URIError: `%` without two digits, or bytes that are not UTF-8.
    return undefined;
  }
}
