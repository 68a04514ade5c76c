import type { S3RequestInfo } from './request-info.js';

/** An error that the test server makes with one request. */
export type Fault =
  /** Answers with an error at once. The code of a 503 is `SlowDown` unless `code` is set. */
  | { kind: 'status'; status: number; code?: string; headers?: Record<string, string> }
  /** Never answers; the connection stays open. */
  | { kind: 'hang' }
  /** Breaks the connection before a byte of the answer. */
  | { kind: 'reset' }
  /** Sends the body at this speed. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** Stops after `afterBytes` bytes of the body until `until` resolves; for ever without it. */
  | { kind: 'pause'; afterBytes: number; until?: Promise<unknown> }
  /** Announces the true length, sends `afterBytes` bytes, then ends the connection in order or with a TCP reset. */
  | { kind: 'truncate'; afterBytes: number; how: 'end' | 'reset' }
  /** Announces a length that is wrong by `offBy`, sends the true body, and ends the connection. */
  | { kind: 'length'; offBy: number }
  /** Answers with another ETag than the listing and ignores If-Match. */
  | { kind: 'etag'; etag: string }
  /** Answers like stores that have directories: 200, and an object of 0 bytes. */
  | { kind: 'directory'; contentType?: string };

/** Called for every request that passed authentication. Undefined: the request is answered correctly. */
export type FaultHook = (request: S3RequestInfo) => Fault | undefined;

/** A hook with the same fault for the first `times` requests that match. */
export function firstTimes(times: number, fault: Fault, matches: (request: S3RequestInfo) => boolean): FaultHook {
  let left = times;
  return (request) => (left > 0 && matches(request) && left-- > 0 ? fault : undefined);
}
