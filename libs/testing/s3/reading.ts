import type { StoredObject } from './bucket.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';

/** An answer before it is sent: faults act on it. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** What `content-length` announces. */
  lengthBytes: number;
  body: Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** GetObject and HeadObject with ranges and preconditions (RFC 9110, 13.1 and 14.2). */
export function readObject(object: StoredObject, request: S3RequestInfo, checkPreconditions: boolean): Answer {
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...object.headers,
    etag: `"${object.etag}"`,
    'last-modified': object.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
  };
  const matches = (name: 'if-match' | 'if-none-match'): boolean =>
    (request.headers[name] ?? '').split(',').some((tag) => tag.trim() === '*' || tag.trim() === `"${object.etag}"`);
  if (checkPreconditions) {
    if (request.headers['if-match'] !== undefined && !matches('if-match')) {
      throw new S3Error(412, 'PreconditionFailed', 'At least one of the preconditions you specified did not hold.');
    }
    if (matches('if-none-match')) return { status: 304, headers, lengthBytes: 0, body: [] };
  }
  const range = parseRange(request.headers.range, object.sizeBytes);
  if (range === undefined) {
    return { status: 200, headers, lengthBytes: object.sizeBytes, body: object.read(0, object.sizeBytes - 1) };
  }
  headers['content-range'] = `bytes ${range.start}-${range.end}/${object.sizeBytes}`;
  return { status: 206, headers, lengthBytes: range.end - range.start + 1, body: object.read(range.start, range.end) };
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
