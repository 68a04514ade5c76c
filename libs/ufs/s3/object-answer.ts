import { UfsError, type UfsReadOptions } from '../types.js';
import { isStrong, judgeAnswer, preconditionOf, versionOf, type Likeness } from '../version.js';
import type { S3Answer } from './s3-errors.js';

export function rangeHeader({ start, end }: UfsReadOptions): string | undefined {
  return (start === undefined || start === 0) && end === undefined ? undefined : `bytes=${start ?? 0}-${end ?? ''}`;
}

/** @param conditional whether the server should refuse any version but the expected one */
export function readHeaders(options: UfsReadOptions, conditional: boolean): Record<string, string> {
  const range = rangeHeader(options);
  return {
    ...(conditional && options.expectedVersion !== undefined && preconditionOf(options.expectedVersion)),
    ...(range !== undefined && { range }),
  };
}

type Head = Omit<S3Answer, 'body'>;

/** What the headers of a good answer to HEAD or GET tell of the object. */
export interface ToldObject {
  version: string;
  /** Absent where they do not tell it: a body in chunks, a range of `*`. */
  sizeBytes?: number;
  /** Compares the answer's version with the expected one, if any. `unknown`: the answer has nothing to compare. */
  likeness: Likeness;
}

/** @throws UfsError `Changed` for another size than the known one; `Unavailable` for another range than requested */
export function toldObject(path: string, answer: Head, options: UfsReadOptions = {}): ToldObject {
  const { expectedVersion, knownSizeBytes } = options;
  const given = givenValidators(answer);
  const judged = expectedVersion === undefined ? undefined : judgeAnswer(expectedVersion, given);
  const sizeBytes =
    rangeHeader(options) === undefined ? contentLength(path, answer) : totalLength(path, answer, options);
  const isOtherSize = sizeBytes !== undefined && knownSizeBytes !== undefined && sizeBytes !== knownSizeBytes;
  if (isOtherSize) throw changed(path);
  return { version: judged?.version ?? versionOf(given), sizeBytes, likeness: judged?.likeness ?? 'same' };
}

/** Whether a good answer has the expected strong tag and as many bytes as it announces and the caller knows of. */
export function isAsExpected({ status, headers, body }: S3Answer, options: UfsReadOptions): boolean {
  const { expectedVersion, knownSizeBytes } = options;
  return (
    status === 200 &&
    expectedVersion !== undefined &&
    headers.etag === `"${expectedVersion}"` &&
    isStrong(expectedVersion) &&
    body.length === knownSizeBytes &&
    headers['content-length'] === String(knownSizeBytes) &&
    rangeHeader(options) === undefined
  );
}

export function givenValidators({ headers }: Head): { etag?: string | string[]; lastModified?: string | string[] } {
  return { etag: headers['etag'], lastModified: headers['last-modified'] };
}

export function changed(path: string): UfsError {
  return new UfsError('Changed', path, `The object has changed since it was listed: ${path}.`);
}

function contentLength(path: string, { status, headers }: Head): number | undefined {
  const text = headers['content-length'];
  if (status !== 200) throw otherRange(path);
  if (text === undefined) return undefined;
  return wholeNumber(text) ?? fail(path);
}

function totalLength(path: string, { status, headers }: Head, { start = 0 }: UfsReadOptions): number | undefined {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range']));
  if (status !== 206 || Number(range?.[1]) !== start) throw otherRange(path);
  return range?.[2] === '*' ? undefined : (wholeNumber(range?.[2]) ?? fail(path));
}

function otherRange(path: string): UfsError {
  return new UfsError('Unavailable', path, `The server's answer is another range than the one asked for: ${path}.`);
}

function fail(path: string): never {
  throw new UfsError('Unavailable', path, `The server's answer has no valid length: ${path}.`);
}

function wholeNumber(text: string | string[] | undefined): number | undefined {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
