import { UfsError, type UfsObject, type UfsReadOptions } from '../types.js';
import { unquote } from './list-xml.js';
import type { S3Answer } from './s3-errors.js';

export function rangeHeader({ start, end }: UfsReadOptions): string | undefined {
  return (start === undefined || start === 0) && end === undefined ? undefined : `bytes=${start ?? 0}-${end ?? ''}`;
}

export function readHeaders(options: UfsReadOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  if (options.expectedVersion !== undefined) headers['if-match'] = `"${options.expectedVersion}"`;
  const range = rangeHeader(options);
  if (range !== undefined) headers['range'] = range;
  return headers;
}

/**
 * The object that a good answer to HEAD or GET describes.
 * @throws UfsError `Changed` for another version than the one asked for: not every server minds `If-Match`;
 *   `Unavailable` when the answer lacks what every S3 server sends, or ignores the range
 */
export function objectOf(path: string, answer: Omit<S3Answer, 'body'>, options: UfsReadOptions = {}): UfsObject {
  const etag = answer.headers['etag'];
  if (typeof etag !== 'string') throw new UfsError('Unavailable', path, `The server's answer has no ETag: ${path}.`);
  const version = unquote(etag);
  if (options.expectedVersion !== undefined && version !== options.expectedVersion) {
    throw new UfsError('Changed', path, `The object has changed since it was listed: ${path}.`);
  }
  const sizeBytes =
    rangeHeader(options) === undefined ? contentLength(answer) : totalLength(answer, options.start ?? 0);
  if (sizeBytes !== undefined) return { path, sizeBytes, version };
  throw new UfsError('Unavailable', path, `The server's answer does not tell the length, or another range: ${path}.`);
}

function contentLength({ status, headers }: Omit<S3Answer, 'body'>): number | undefined {
  return status === 200 ? wholeNumber(headers['content-length']) : undefined;
}

function totalLength({ status, headers }: Omit<S3Answer, 'body'>, start: number): number | undefined {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(headers['content-range']));
  return status === 206 && Number(range?.[1]) === start ? wholeNumber(range?.[2]) : undefined;
}

function wholeNumber(text: string | string[] | undefined): number | undefined {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
