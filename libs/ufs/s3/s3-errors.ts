import { errors } from 'undici';
import { errnoOf } from '../errno.js';
import { printable } from '../names.js';
import { UfsError, type Blame, type UfsErrorCode } from '../types.js';
import { InternalAddressError } from './internal-address.js';
import { parseErrorBody } from './list-xml.js';
import { retryAfter } from './retry-after.js';
import { toldRegion } from './s3-region.js';

export interface S3Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The beginning of an error answer's body. */
  body: Buffer;
}

/** By S3 error code (Amazon S3 API reference, Error responses); wins over the status. */
const byCode: Record<string, readonly [UfsErrorCode, string]> = {
  NoSuchBucket: ['NotFound', 'There is no such bucket'],
  NoSuchKey: ['NotFound', 'There is no such object'],
  KeyTooLongError: ['NotFound', 'The key is longer than the server allows'],
  AccessDenied: ['Forbidden', 'Access is denied'],
  InvalidAccessKeyId: ['Forbidden', 'The server does not know the access key id'],
  SignatureDoesNotMatch: ['Forbidden', 'The server refuses the signature: the secret key is not the right one'],
  ExpiredToken: ['Forbidden', 'The session token has expired'],
  RequestTimeTooSkewed: ['Forbidden', 'The clocks of this machine and of the server differ too much'],
  InvalidObjectState: ['Forbidden', 'The object is archived and must be restored first'],
  PreconditionFailed: ['Changed', 'The object has changed since it was listed'],
  SlowDown: ['Throttled', 'The server asks to slow down'],
  Throttling: ['Throttled', 'The server asks to slow down'],
  ThrottlingException: ['Throttled', 'The server asks to slow down'],
  TooManyRequests: ['Throttled', 'The server asks to slow down'],
  RequestLimitExceeded: ['Throttled', 'The server asks to slow down'],
  RequestTimeout: ['Timeout', 'The server gave up waiting for the request'],
};

const byStatus: Record<number, readonly [UfsErrorCode, string]> = {
  401: ['Forbidden', 'Access is denied'],
  403: ['Forbidden', 'Access is denied'],
  404: ['NotFound', 'There is no such object or bucket'],
  408: ['Timeout', 'The server gave up waiting for the request'],
  412: ['Changed', 'The object has changed since it was listed'],
  429: ['Throttled', 'The server asks to slow down'],
};

const wrongRegionCodes = new Set([
  'PermanentRedirect',
  'TemporaryRedirect',
  'Redirect',
  'AuthorizationHeaderMalformed',
]);

/** The error for an unexpected answer. It repeats only the code of the body, never its texts. */
export function answerError(path: string, answer: S3Answer): UfsError {
  const { code } = parseErrorBody(answer.body.toString('utf8'));
  const shown = `${answer.status}${code === undefined ? '' : ` ${code}`}`;
  const isRedirect = answer.status >= 300 && answer.status < 400 && answer.status !== 304;
  if (isRedirect || (code !== undefined && wrongRegionCodes.has(code))) {
    return new UfsError('Invalid', path, `${elsewhere(answer)} (${shown}): ${printable(path)}.`);
  }
  const [ufsCode, sentence] = (code && byCode[code]) || (byStatus[answer.status] ?? byStatusClass(answer.status));
  const retryAfterMs = retryAfter(answer.headers, Date.now());
  const blame = blameFor(answer.status, ufsCode, retryAfterMs);
  return new UfsError(ufsCode, path, `${sentence} (${shown}): ${printable(path)}.`, { blame, retryAfterMs });
}

/** S3 slows clients down with 503 (Amazon S3 User Guide, "Best practices design patterns"). */
function blameFor(status: number, code: UfsErrorCode, retryAfterMs: number | undefined): Blame | undefined {
  if (code === 'Throttled' || status === 503) return 'store';
  if (status < 500 && code !== 'Timeout') return undefined;
  return retryAfterMs === undefined ? 'unclear' : 'store';
}

function byStatusClass(status: number): readonly [UfsErrorCode, string] {
  if (status >= 500) return ['Unavailable', 'The server failed'];
  return status >= 400 ? ['Invalid', 'The server refuses the request'] : ['Unavailable', 'The answer is not one of S3'];
}

/** The message after the client has tried the region, or the address, that the answer names. */
function elsewhere(answer: S3Answer): string {
  const region = toldRegion(answer, answer.body);
  if (region !== undefined) {
    const tried = 'and this endpoint does not serve it although requests are signed for the region that it named first';
    return `The bucket is in the region ${region}, ${tried}: set alluxio.underfs.s3.endpoint accordingly`;
  }
  const advice = 'set alluxio.underfs.s3.region or alluxio.underfs.s3.endpoint accordingly';
  return `The bucket is in another region or behind another endpoint, and the server does not say which: ${advice}`;
}

/** With these, no request reaches the store. */
const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/**
 * The error for a failed exchange.
 * @param bodyBegun the answer's headers had arrived
 */
export function networkError(path: string, origin: string, error: unknown, bodyBegun: boolean): UfsError {
  if (error instanceof UfsError) return error;
  if (error instanceof InternalAddressError) {
    const advice = 'the option redirectHosts can name it in full';
    const sentence = `The server redirects to ${error.host}, which is an internal address: ${advice}`;
    return new UfsError('Invalid', path, `${sentence} (${origin}): ${printable(path)}.`, { cause: error });
  }
  const errno = errnoOf(error) ?? 'unknown error';
  const shown = `(${errno}, ${origin}): ${printable(path)}.`;
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    const sentence = `The server sent nothing for too long ${shown}`;
    return new UfsError('Timeout', path, sentence, { cause: error, blame: 'unclear' });
  }
  if (bodyBegun) {
    return new UfsError('Truncated', path, `The connection broke before the object's end ${shown}`, { cause: error });
  }
  const isAway = error instanceof errors.ConnectTimeoutError || unreachable.has(errno);
  const sentence =
    errno === 'ECONNREFUSED'
      ? 'The endpoint refuses connections'
      : errno === 'ENOTFOUND' || errno === 'EAI_AGAIN'
        ? "The endpoint's host name cannot be resolved"
        : error instanceof errors.ConnectTimeoutError
          ? 'The endpoint cannot be reached in time'
          : 'The connection to the endpoint failed';
  const blame = isAway ? 'store' : 'unclear';
  return new UfsError('Unavailable', path, `${sentence} ${shown}`, { cause: error, blame });
}

export function abortedError(path: string): UfsError {
  return new UfsError('Aborted', path, `Aborted: ${printable(path)}.`);
}
