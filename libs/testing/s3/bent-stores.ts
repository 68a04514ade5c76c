import type { AnswerKind, ValidatorBend } from './validators.js';

const isList = (where: AnswerKind): boolean => where === 'list';
const weak = (etag: string): string => `W/${etag}`;
const bare = (etag: string): string => etag.replaceAll('"', '');
const multipart = (etag: string): string => etag.replace(/"$/, '-1"');
const encrypted = (etag: string): string => `"${[...bare(etag)].reverse().join('')}"`;

/** Stores that tell versions in another way than Amazon does, each of which exists, by the difference. */
export const bentStores: Readonly<Record<string, ValidatorBend>> = {
  'no ETag from GET and HEAD': { etag: (etag, where) => (isList(where) ? etag : undefined) },
  'no ETag from GET and HEAD, preconditions ignored': {
    etag: (etag, where) => (isList(where) ? etag : undefined),
    ifMatch: 'ignored',
  },
  'preconditions that are refused': { ifMatch: 'refused' },
  'no ETag from GET and HEAD, preconditions that are refused': {
    etag: (etag, where) => (isList(where) ? etag : undefined),
    ifMatch: 'refused',
  },
  'no ETag from GET': { etag: (etag, where) => (where === 'get' ? undefined : etag) },
  'no ETag from HEAD': { etag: (etag, where) => (where === 'head' ? undefined : etag) },
  'no ETag in the listing': { etag: (etag, where) => (isList(where) ? undefined : etag) },
  'no ETag anywhere': { etag: () => undefined },
  'no ETag anywhere, no time from GET and HEAD': {
    etag: () => undefined,
    lastModified: (at, where) => (isList(where) ? at : undefined),
  },
  'no ETag anywhere, times rounded up': {
    etag: () => undefined,
    lastModified: (at, where) => (isList(where) ? at : new Date(Math.ceil(at.getTime() / 1000) * 1000)),
  },
  'another ETag in the listing': { etag: (etag, where) => (isList(where) ? multipart(etag) : etag) },
  'another ETag in the listing, preconditions ignored': {
    etag: (etag, where) => (isList(where) ? multipart(etag) : etag),
    ifMatch: 'ignored',
  },
  'another ETag in the listing, which If-Match is compared with': {
    etag: (etag, where) => (isList(where) ? multipart(etag) : etag),
    ifMatch: multipart,
  },
  'another ETag in the listing, none from HEAD': {
    etag: (etag, where) => (isList(where) ? multipart(etag) : where === 'head' ? undefined : etag),
  },
  'another ETag in the listing, none from GET and HEAD': {
    etag: (etag, where) => (isList(where) ? multipart(etag) : undefined),
    ifMatch: 'ignored',
  },
  'another ETag from GET, which If-Match is not compared with': {
    etag: (etag, where) => (where === 'get' ? multipart(etag) : etag),
  },
  'ETags that look like an MD5 and are none': { etag: encrypted, ifMatch: encrypted },
  'ETags of GET and HEAD that look like an MD5 and are none': {
    etag: (etag, where) => (isList(where) ? etag : encrypted(etag)),
    ifMatch: encrypted,
  },
  'weak ETags': { etag: weak },
  'weak ETags, times nowhere': { etag: weak, lastModified: () => undefined },
  'weak ETags from GET': { etag: (etag, where) => (where === 'get' ? weak(etag) : etag) },
  'weak ETags in the listing': { etag: (etag, where) => (isList(where) ? weak(etag) : etag) },
  'weak ETags without quotes': { etag: (etag) => weak(bare(etag)) },
  'ETags without quotes': { etag: bare },
  'ETags with quotes twice': { etag: (etag) => `"${etag}"` },
  'ETags without quotes in the listing': { etag: (etag, where) => (isList(where) ? bare(etag) : etag) },
  'empty ETags': { etag: () => '""' },
  'no lengths': { omitsLength: () => true },
  'no length from GET, no ETag from GET and HEAD': {
    etag: (etag, where) => (isList(where) ? etag : undefined),
    omitsLength: (where) => where === 'get',
  },
  'nothing but the listing’s length': { etag: () => undefined, lastModified: () => undefined, omitsLength: () => true },
};
