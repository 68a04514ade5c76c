import type { S3RequestInfo } from './request-info.js';

/** What the test server does wrong with one request. */
export type Fault =
  /** Answers with an error at once. 503 comes as `SlowDown` unless `code` says otherwise. */
  | { kind: 'status'; status: number; code?: string; headers?: Record<string, string> }
  /** Never answers; the connection stays open. */
  | { kind: 'hang' }
  /** Breaks the connection before a byte of the answer. */
  | { kind: 'reset' }
  /** Sends the body at this speed. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** Stops after so many bytes of the body until `until` resolves; for ever without it. */
  | { kind: 'pause'; afterBytes: number; until?: Promise<unknown> }
  /** Announces the true length, sends so many bytes, then ends the connection in order or with a TCP reset. */
  | { kind: 'truncate'; afterBytes: number; how: 'end' | 'reset' }
  /** Announces a length that is off by so much, sends the true body, and ends the connection. */
  | { kind: 'length'; offBy: number }
  /** Answers with another ETag than the listing, without minding If-Match. */
  | { kind: 'etag'; etag: string }
  /** Answers as stores with directories of their own do: 200, and an object of 0 bytes. */
  | { kind: 'directory'; contentType?: string };

/** Asked for every request that passed authentication; undefined lets it be answered properly. */
export type FaultHook = (request: S3RequestInfo) => Fault | undefined;

/** A hook that does the same to the first `times` requests that match. */
export function firstTimes(times: number, fault: Fault, matches: (request: S3RequestInfo) => boolean): FaultHook {
  let left = times;
  return (request) => (left > 0 && matches(request) && left-- > 0 ? fault : undefined);
}
