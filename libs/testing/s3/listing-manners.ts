import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { StoredObject } from './bucket.js';
import type { Answer } from './reading.js';
import type { S3RequestInfo } from './request-info.js';

/** How a store lists. A field that is absent means: as Amazon does. */
export interface ListingManners {
  /** `V1`: a V2 request gets an answer in the form of V1; `V1 alone`: V2 is refused. */
  form?: 'V1' | 'V1 alone';
  /** The store's own order of keys. */
  order?: (a: string, b: string) => number;
  /** `compared`: lists the keys that are greater by their bytes, also in a store with another order. */
  startAfter?: 'ignored' | 'compared';
  /** Called for each request with a token. */
  refusesTokens?: () => boolean;
  /** How many objects the page at this offset has. */
  pageLength?: (offset: number) => number;
  /**
   * The offset at which the server says to go on.
   * @param end where the page ended
   * @returns undefined for the end of the listing
   */
  next?: (end: number, count: number) => number | undefined;
  /** No two tokens are alike, not even for one place. */
  freshTokens?: boolean;
  /** Changes the objects of the page that begins at an offset. */
  page?: (objects: StoredObject[], offset: number) => StoredObject[];
  /** Changes the document. */
  xml?: (xml: string) => string;
  /** Content codings, applied in this order. */
  codings?: readonly (keyof typeof coders)[];
}

/** Called for every listing. Undefined: answers as Amazon does. */
export type ListingHook = (request: S3RequestInfo) => ListingManners | undefined;

/** Whether pages hold the same objects as Amazon's, with tokens that hold keys. */
export function isPlain({ order, startAfter, refusesTokens, pageLength, next, page }: ListingManners): boolean {
  return [order, startAfter, refusesTokens, pageLength, next, page].every((manner) => manner === undefined);
}

const coders = {
  gzip: (bytes: Buffer) => gzipSync(bytes),
  'x-gzip': (bytes: Buffer) => gzipSync(bytes),
  deflate: (bytes: Buffer) => deflateSync(bytes),
  'raw deflate': (bytes: Buffer) => deflateRawSync(bytes),
  br: (bytes: Buffer) => brotliCompressSync(bytes),
  identity: (bytes: Buffer) => bytes,
  'broken gzip': (bytes: Buffer) => bytes,
  'no-such-coding': (bytes: Buffer) => bytes,
};

/** The listing as this store sends it. */
export function dress(document: Buffer, { xml, codings = [] }: ListingManners): Answer {
  const text = xml === undefined ? document : Buffer.from(xml(document.toString()));
  const body = codings.reduce((bytes, coding) => coders[coding](bytes), text);
  const names = codings.map((coding) => coding.replace(/^(?:raw|broken) /, ''));
  return {
    status: 200,
    headers: {
      'content-type': 'application/xml',
      ...(names.length === 0 ? {} : { 'content-encoding': names.join(', ') }),
    },
    lengthBytes: body.length,
    body: [body],
  };
}
