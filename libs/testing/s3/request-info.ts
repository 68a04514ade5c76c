import type { IncomingMessage } from 'node:http';
import { S3Error } from './s3-error.js';

/** A request in the terms of S3. */
export interface S3RequestInfo {
  /** Name of the S3 operation, such as `ListObjectsV2`, `GetObject`, `HeadObject`, `PutObject`. */
  operation: string;
  method: string;
  bucket: string;
  /** '' for an operation on the bucket. */
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
}

/** Takes the bucket from the path, or from the host when that is `<bucket>.localhost`. */
export function requestInfo(request: IncomingMessage): S3RequestInfo {
  const [rawPath = '/', rawQuery = ''] = (request.url ?? '/').split(/\?(.*)/s);
  const method = request.method ?? 'GET';
  const query = new URLSearchParams(rawQuery);
  const hostBucket = /^(.+)\.localhost(?::\d+)?$/.exec(request.headers.host ?? '')?.[1];
  const [, pathBucket = '', pathKey = ''] = /^\/([^/]*)\/?(.*)$/s.exec(rawPath) ?? [];
  const bucket = hostBucket ?? decode(pathBucket);
  const key = decode(hostBucket === undefined ? pathKey : rawPath.slice(1));
  return { operation: operationOf(method, bucket, key, query), method, bucket, key, query, headers: request.headers };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error(400, 'InvalidURI', 'Could not parse the specified URI.');
  }
}

function operationOf(method: string, bucket: string, key: string, query: URLSearchParams): string {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : 'Unknown';
  if (key === '') return bucketOperation(method, query);
  switch (method) {
    case 'GET':
      return 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'PUT':
      return query.has('uploadId') ? 'UploadPart' : 'PutObject';
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
    default:
      return 'Unknown';
  }
}

function bucketOperation(method: string, query: URLSearchParams): string {
  switch (method) {
    case 'GET':
      if (query.has('location')) return 'GetBucketLocation';
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
    case 'HEAD':
      return 'HeadBucket';
    case 'PUT':
      return 'CreateBucket';
    default:
      return 'Unknown';
  }
}
