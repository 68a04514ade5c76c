import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { UfsError } from '../types.js';
import { misread, parseDirectories, parseKeyPage, type KeyPage } from './list-xml.js';
import type { S3Client } from './s3-client.js';
import { answerError, type S3Answer } from './s3-errors.js';

/** A thousand keys of 1024 bytes, each byte written as `%XX`, and as much again for the rest. */
const maxListAnswerBytes = 8 * 1024 * 1024;

/** Where a page begins: at the start, or after the given position. A `marker` makes a request in the form of V1. */
export interface ListPosition {
  token?: string;
  startAfter?: string;
  marker?: string;
}

export interface ListQuery {
  /** For errors. */
  path: string;
  prefix: string;
  limit: number;
  signal?: AbortSignal;
}

/** The server accepts requests, but not this position, or not this version of the API. */
export class PositionRefused extends Error {
  constructor(readonly why: UfsError) {
    super(why.message);
  }
}

/**
 * One page by ListObjectsV2, or by ListObjects where the position is a marker (Amazon S3 API reference).
 * @throws PositionRefused where another position, or the other version, may do
 */
export async function requestPage(
  client: Pick<S3Client, 'exchange'>,
  { path, prefix, limit, signal }: ListQuery,
  { token, startAfter, marker }: ListPosition,
): Promise<KeyPage> {
  const query: Record<string, string> = { 'encoding-type': 'url', 'max-keys': String(limit), prefix };
  if (marker === undefined) query['list-type'] = '2';
  else if (marker !== '') query['marker'] = marker;
  if (token !== undefined) query['continuation-token'] = token;
  if (startAfter !== undefined) query['start-after'] = startAfter;
  const answer = await client.exchange({ method: 'GET', path, key: '', query, signal }, maxListAnswerBytes);
  if (answer.status === 200) return parseKeyPage(await decoded(path, answer), path);
  const error = answerError(path, answer);
  const isPosition = token !== undefined || startAfter !== undefined || marker !== undefined;
  const refusals = isPosition ? [400, 410, 422, 501] : [501];
  throw refusals.includes(answer.status) ? new PositionRefused(error) : error;
}

/**
 * The directories of one parent, by a listing with a delimiter: a page of them.
 * @returns `isWhole`: none follow
 */
export async function requestDirectories(
  client: Pick<S3Client, 'exchange'>,
  { path, prefix, limit, signal }: ListQuery,
  startAfter: string,
): Promise<{ names: string[]; isWhole: boolean }> {
  const query = {
    ...{ 'encoding-type': 'url', 'max-keys': String(limit), 'list-type': '2' },
    ...{ prefix, delimiter: '/', 'start-after': startAfter },
  };
  const answer = await client.exchange({ method: 'GET', path, key: '', query, signal }, maxListAnswerBytes);
  if (answer.status !== 200) throw answerError(path, answer);
  return parseDirectories(await decoded(path, answer), path);
}

const limits = { maxOutputLength: maxListAnswerBytes };
const decoders: Record<string, (body: Buffer) => Promise<Buffer>> = {
  gzip: (body) => promisify(gunzip)(body, limits),
  // RFC 9110, 8.4.1.2: a zlib stream. Some servers omit its wrapping.
  deflate: (body) => ((body[0] ?? 0) % 16 === 8 ? promisify(inflate) : promisify(inflateRaw))(body, limits),
  br: (body) => promisify(brotliDecompress)(body, limits),
  identity: (body) => Promise.resolve(body),
};

/** The body without its content codings. The last coding was applied last (RFC 9110, 8.4). */
async function decoded(path: string, { headers, body }: S3Answer): Promise<Buffer> {
  const codings = [headers['content-encoding'] ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .map((coding) => coding.trim().toLowerCase().replace(/^x-/, ''))
    // Not a coding: Amazon's clients mark uploads in chunks so, and some servers repeat the mark.
    .filter((coding) => coding !== '' && coding !== 'aws-chunked');
  let bytes = body;
  for (const coding of codings.reverse()) {
    const decode = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
    if (decode === undefined) throw misread(path, 'comes in a content coding that is not known here');
    try {
      bytes = await decode(bytes);
    } catch (cause) {
      const sentence = `The server's listing is not the ${coding} that it says it is, or too long: ${path}.`;
      throw new UfsError('Unavailable', path, sentence, { cause });
    }
  }
  return bytes;
}
