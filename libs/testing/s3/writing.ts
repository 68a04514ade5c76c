import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { md5, type Bucket } from './bucket.js';
import type { S3RequestInfo } from './request-info.js';
import { S3Error } from './s3-error.js';
import { xmlDocument } from './xml.js';

interface Upload {
  bucket: string;
  key: string;
  headers: Record<string, string>;
  parts: Map<number, Buffer>;
}

/** PutObject and multipart uploads, enough for the AWS SDK and rclone to fill a bucket. */
export class Writer {
  private readonly uploads = new Map<string, Upload>();

  async putObject(bucket: Bucket, request: S3RequestInfo, body: Buffer): Promise<{ etag: string }> {
    const etag = md5(body);
    await bucket.put(request.key, body, etag, keptHeaders(request));
    return { etag };
  }

  createUpload(request: S3RequestInfo): Buffer {
    const uploadId = randomUUID();
    const { bucket, key } = request;
    this.uploads.set(uploadId, { bucket, key, headers: keptHeaders(request), parts: new Map() });
    return xmlDocument('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: uploadId });
  }

  putPart(request: S3RequestInfo, body: Buffer): { etag: string } {
    const number = Number(request.query.get('partNumber'));
    if (!Number.isInteger(number) || number < 1 || number > 10_000) {
      throw new S3Error(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000.');
    }
    this.find(request).upload.parts.set(number, body);
    return { etag: md5(body) };
  }

  /** The ETag is the MD5 of the parts' MD5s with their count. The count tells it from an MD5 of the content. */
  async completeUpload(bucket: Bucket, request: S3RequestInfo, body: Buffer): Promise<Buffer> {
    const { id, upload } = this.find(request);
    const listed = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) =>
      Number(number),
    );
    const parts = listed.map((number) => upload.parts.get(number));
    const present = parts.filter((part) => part !== undefined);
    if (present.length === 0 || present.length < parts.length) {
      throw new S3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
    }
    const digests = present.map((part) => createHash('md5').update(part).digest());
    const etag = `${md5(Buffer.concat(digests))}-${present.length}`;
    await bucket.put(upload.key, Buffer.concat(present), etag, upload.headers);
    this.uploads.delete(id);
    return xmlDocument('CompleteMultipartUploadResult', { Bucket: upload.bucket, Key: upload.key, ETag: `"${etag}"` });
  }

  abortUpload(request: S3RequestInfo): void {
    this.uploads.delete(this.find(request).id);
  }

  private find(request: S3RequestInfo): { id: string; upload: Upload } {
    const id = request.query.get('uploadId') ?? '';
    const upload = this.uploads.get(id);
    if (upload?.bucket === request.bucket && upload.key === request.key) return { id, upload };
    throw new S3Error(404, 'NoSuchUpload', 'The specified multipart upload does not exist.');
  }
}

function keptHeaders({ headers }: S3RequestInfo): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name === 'content-type' || name.startsWith('x-amz-meta-'));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

/** The payload of a request. Its hash is checked when the client sent one. */
export async function readPayload(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const announced = String(request.headers['x-amz-content-sha256'] ?? '');
  if (announced.startsWith('STREAMING-')) return decodeAwsChunks(body);
  if (/^[0-9a-f]{64}$/.test(announced) && createHash('sha256').update(body).digest('hex') !== announced) {
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', 'The provided x-amz-content-sha256 header does not match.');
  }
  return body;
}

/**
 * Content-Encoding aws-chunked (Amazon S3, "Signature calculations: transferring a payload in multiple chunks"):
 * `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n`, ended by a chunk of size 0 and trailers. The chunks' own signatures
 * and the trailing checksums are not verified.
 */
function decodeAwsChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let offset = 0; ;) {
    const lineEnd = body.indexOf('\r\n', offset);
    const size = parseInt(body.toString('latin1', offset, lineEnd), 16);
    if (lineEnd < 0 || Number.isNaN(size)) throw new S3Error(400, 'IncompleteBody', 'The chunked body is malformed.');
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + size));
    offset = lineEnd + 2 + size + 2;
  }
}
