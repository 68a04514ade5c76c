import type { StoredObject } from './bucket.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';
import { checkPreconditions, shownEtag, shownTime, type ValidatorBend } from './validators.js';

/** An answer before it is sent. Faults change it. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** The value of `content-length`. */
  lengthBytes: number;
  /** False: the answer has no `content-length`, and the body comes in chunks. */
  isLengthSent?: boolean;
  body: Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** GetObject and HeadObject with ranges and preconditions (RFC 9110, 13.1 and 14.2). */
export function readObject(
  object: StoredObject,
  request: S3RequestInfo,
  isChecked: boolean,
  bend: ValidatorBend = {},
): Answer {
  const where = request.method === 'HEAD' ? 'head' : 'get';
  const etag = shownEtag(object, where, bend);
  const time = shownTime(object, where, bend);
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...object.headers,
    ...(etag !== undefined && { etag }),
    ...(time !== undefined && { 'last-modified': time.toUTCString() }),
    'accept-ranges': 'bytes',
  };
  if (isChecked && checkPreconditions(object, request, bend)) {
    return { status: 304, headers, lengthBytes: 0, body: [] };
  }
  const isLengthSent = bend.omitsLength?.(where) !== true;
  const range = parseRange(request.headers.range, object.sizeBytes);
  if (range === undefined) {
    const body = object.read(0, object.sizeBytes - 1);
    return { status: 200, headers, lengthBytes: object.sizeBytes, body, isLengthSent };
  }
  const { start, end } = range;
  headers['content-range'] = `bytes ${start}-${end}/${isLengthSent ? object.sizeBytes : '*'}`;
  return { status: 206, headers, lengthBytes: end - start + 1, body: object.read(start, end), isLengthSent };
}

function parseRange(value: string | undefined, sizeBytes: number): { start: number; end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(value ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (start < sizeBytes && start <= end) return { start, end };
  throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable.', {
    ActualObjectSize: String(sizeBytes),
  });
}
