import type { StoredObject } from './bucket.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';

export type AnswerKind = 'list' | 'get' | 'head';

/**
 * How a store tells versions in another way than Amazon does. Each function gets the value that Amazon would send and
 * returns the value to send instead; undefined leaves it out.
 */
export interface ValidatorBend {
  /** The whole header or element, quotes included. */
  etag?: (etag: string, where: AnswerKind) => string | undefined;
  lastModified?: (at: Date, where: AnswerKind) => Date | undefined;
  /** Whether the answer has no Content-Length and its body comes in chunks. */
  omitsLength?: (where: 'get' | 'head') => boolean;
  /**
   * The ETag that `If-Match` is compared with; default: the object's own. 'ignored': the server ignores preconditions;
   * 'refused': it answers them with an error.
   */
  ifMatch?: ((etag: string) => string) | 'ignored' | 'refused';
}

export function shownEtag(object: StoredObject, where: AnswerKind, bend: ValidatorBend = {}): string | undefined {
  const etag = `"${object.etag}"`;
  return bend.etag === undefined ? etag : bend.etag(etag, where);
}

export function shownTime(object: StoredObject, where: AnswerKind, bend: ValidatorBend = {}): Date | undefined {
  return bend.lastModified === undefined ? object.lastModified : bend.lastModified(object.lastModified, where);
}

/**
 * `If-Match`, `If-Unmodified-Since` and `If-None-Match` (RFC 9110, 13.1). Invalid values are refused: a weak tag, which
 * no object can match, a tag without quotes or with double quotes twice, an invalid time.
 * @returns whether the answer is 304
 */
export function checkPreconditions(
  object: StoredObject,
  { headers }: S3RequestInfo,
  bend: ValidatorBend = {},
): boolean {
  const ifMatch = headers['if-match'];
  const since = headers['if-unmodified-since'];
  if (ifMatch !== undefined && !/^(\*|"[\x21\x23-\x7e]*"(\s*,\s*"[\x21\x23-\x7e]*")*)$/.test(ifMatch))
    throw malformed('If-Match');
  if (since !== undefined && !/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(since))
    throw malformed('If-Unmodified-Since');
  const asked = ifMatch ?? since ?? headers['if-none-match'];
  if (bend.ifMatch === 'refused' && asked !== undefined) {
    throw new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented.');
  }
  if (bend.ifMatch === 'ignored' || bend.ifMatch === 'refused') return false;
  const own = `"${object.etag}"`;
  const compared = bend.ifMatch === undefined ? own : bend.ifMatch(own);
  const holds = (value: string): boolean => value.split(',').some((tag) => ['*', compared].includes(tag.trim()));
  if (ifMatch !== undefined) {
    if (!holds(ifMatch)) throw failed();
  } else if (since !== undefined && Math.floor(object.lastModified.getTime() / 1000) * 1000 > Date.parse(since)) {
    throw failed();
  }
  const ifNoneMatch = headers['if-none-match'];
  return ifNoneMatch !== undefined && holds(ifNoneMatch);
}

function malformed(header: string): S3Error {
  return new S3Error(400, 'InvalidArgument', `The header ${header} is malformed.`);
}

function failed(): S3Error {
  return new S3Error(412, 'PreconditionFailed', 'At least one of the preconditions you specified did not hold.');
}
