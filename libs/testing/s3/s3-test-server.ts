import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { closeNow, listenOn } from '../net/index.js';
import { DirectoryBucket, MemoryBucket, md5, type Bucket } from './bucket.js';
import type { Fault, FaultHook } from './faults.js';
import { dress, type ListingHook } from './listing-manners.js';
import { listObjects } from './listing.js';
import { readObject, type Answer } from './reading.js';
import { requestInfo, type S3RequestInfo } from './request-info.js';
import { S3Error, noSuchBucket, noSuchKey } from './s3-error.js';
import { sendAnswer } from './send-answer.js';
import { verifySignature, type S3TestCredentials } from './sigv4.js';
import type { ValidatorBend } from './validators.js';
import { Writer, readPayload } from './writing.js';
import { xmlDocument } from './xml.js';

export interface S3TestServerOptions {
  /** Default: `larder-test` with the secret `larder-test-secret`. */
  credentials?: S3TestCredentials;
  /** Accepts requests without an Authorization header; a wrong header is still refused. Default false. */
  allowAnonymous?: boolean;
  /** Default `us-east-1`. */
  region?: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** At most and by default 1000. A smaller number makes paging easy to test. */
  maxKeysPerPage?: number;
  validators?: ValidatorBend;
  fault?: FaultHook;
}

export interface LoggedRequest {
  operation: string;
  method: string;
  bucket: string;
  key: string;
  status: number;
  bytesSent: number;
}

/** The log keeps the latest requests only; the counters count all. */
const loggedAtMost = 10_000;

/**
 * An S3 endpoint for tests, on a real socket: it verifies signatures, pages listings, and makes faults on demand. It is
 * as strict as a real server, and has no durability, versions, ACLs or quotas.
 */
export class S3TestServer {
  readonly credentials: S3TestCredentials;
  readonly region: string;
  /** May be changed at any time. */
  fault: FaultHook | undefined;
  /** How the server lists. May be changed at any time. */
  listing: ListingHook | undefined;
  /** May be changed at any time. */
  validators: ValidatorBend | undefined;
  /** The latest requests, in the order in which their answers ended. */
  readonly requests: LoggedRequest[] = [];
  /** Answered requests by operation. */
  readonly counters = new Map<string, number>();
  bytesSent = 0;
  inFlight = 0;
  maxInFlight = 0;

  private readonly buckets = new Map<string, Bucket>();
  private readonly writer = new Writer();
  private readonly server: Server;

  constructor(private readonly options: S3TestServerOptions = {}) {
    this.credentials = options.credentials ?? { accessKeyId: 'larder-test', secretAccessKey: 'larder-test-secret' };
    this.region = options.region ?? 'us-east-1';
    this.fault = options.fault;
    this.validators = options.validators;
    this.server = createServer(
      { keepAliveTimeout: 30_000 },
      (request, response) => void this.handle(request, response),
    );
  }

  start(): Promise<{ endpoint: string; port: number }> {
    return listenOn(this.server, this.options.host ?? '127.0.0.1', this.options.port);
  }

  /** Also breaks the connections that are open. */
  stop(): Promise<void> {
    return closeNow(this.server);
  }

  createBucket(name: string): void {
    if (!this.buckets.has(name)) this.buckets.set(name, new MemoryBucket());
  }

  /** Serves the files below `directory` as the bucket `name`. Objects that are put are written there. */
  serveDirectory(name: string, directory: string): void {
    this.buckets.set(name, new DirectoryBucket(directory));
  }

  /** @param lastModified default: now. Ignored by a bucket that is a directory */
  async put(bucket: string, key: string, bytes: Buffer | string, lastModified?: Date): Promise<void> {
    const content = Buffer.from(bytes);
    await this.bucket(bucket).put(key, content, md5(content), {}, lastModified);
  }

  /** An object with the bytes of `generatedContent(seed, sizeBytes)`, which takes no memory. */
  generate(bucket: string, key: string, sizeBytes: number, seed: number): void {
    const target = this.bucket(bucket);
    if (!(target instanceof MemoryBucket)) throw new Error('a directory holds only objects that were put');
    target.generate(key, sizeBytes, seed);
  }

  async delete(bucket: string, key: string): Promise<void> {
    await this.bucket(bucket).delete(key);
  }

  private bucket(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) throw noSuchBucket();
    return bucket;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.maxInFlight = Math.max(this.maxInFlight, ++this.inFlight);
    const entry: LoggedRequest = { operation: 'Unknown', method: '', bucket: '', key: '', status: 0, bytesSent: 0 };
    try {
      const info = requestInfo(request);
      Object.assign(entry, { operation: info.operation, method: info.method, bucket: info.bucket, key: info.key });
      await this.respond(request, response, info, entry);
    } catch (error) {
      const answer = errorAnswer(error);
      entry.status = answer.status;
      if (!response.headersSent) await sendAnswer(response, answer, request.method !== 'HEAD');
      else response.destroy();
    } finally {
      this.inFlight--;
      this.log(entry);
    }
  }

  private async respond(request: IncomingMessage, response: ServerResponse, info: S3RequestInfo, entry: LoggedRequest) {
    this.authenticate(request);
    const payload = await readPayload(request);
    const fault = this.fault?.(info);
    switch (fault?.kind) {
      case 'hang':
        await once(response, 'close');
        return;
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'status': {
        const code = fault.code ?? (fault.status === 503 ? 'SlowDown' : 'InternalError');
        const answer = errorAnswer(new S3Error(fault.status, code, 'The fault that the test asked for.'));
        entry.status = fault.status;
        Object.assign(answer.headers, fault.headers);
        await sendAnswer(response, answer, info.method !== 'HEAD');
        return;
      }
      case 'slow':
      case 'pause':
      case 'truncate':
      case 'length':
      case 'etag':
      case 'directory':
      case undefined: {
        const answer = await this.answer(info, payload, fault);
        entry.status = answer.status;
        entry.bytesSent = await sendAnswer(response, answer, info.method !== 'HEAD', fault);
      }
    }
  }

  private authenticate(request: IncomingMessage): void {
    if (request.headers.authorization !== undefined) verifySignature(request, this.credentials, this.region);
    else if (this.options.allowAnonymous !== true) throw new S3Error(403, 'AccessDenied', 'Access Denied');
  }

  private async answer(info: S3RequestInfo, payload: Buffer, fault?: Fault): Promise<Answer> {
    switch (info.operation) {
      case 'ListBuckets':
        return xmlAnswer(
          xmlDocument('ListAllMyBucketsResult', {
            Buckets: { Bucket: [...this.buckets.keys()].map((Name) => ({ Name })) },
          }),
        );
      case 'CreateBucket':
        this.createBucket(info.bucket);
        return emptyAnswer(200);
      case 'HeadBucket':
        this.bucket(info.bucket);
        return emptyAnswer(200);
      case 'GetBucketLocation':
        this.bucket(info.bucket);
        return xmlAnswer(xmlDocument('LocationConstraint', {}));
      case 'ListObjects':
      case 'ListObjectsV2':
        return await this.list(info);
      case 'GetObject':
      case 'HeadObject':
        return await this.read(info, fault);
      default:
        return await this.write(info, payload);
    }
  }

  private async list(info: S3RequestInfo): Promise<Answer> {
    const manners = this.listing?.(info) ?? {};
    const { maxKeysPerPage = 1000 } = this.options;
    return dress(await listObjects(this.bucket(info.bucket), info, maxKeysPerPage, manners, this.validators), manners);
  }

  private async read(info: S3RequestInfo, fault?: Fault): Promise<Answer> {
    if (fault?.kind === 'directory') {
      return emptyAnswer(200, { etag: `"${md5('')}-0"`, 'content-type': fault.contentType ?? 'binary/octet-stream' });
    }
    const object = await this.bucket(info.bucket).find(info.key);
    if (object === undefined) throw noSuchKey();
    const answer = readObject(object, info, fault?.kind !== 'etag', this.validators);
    if (fault?.kind === 'etag') answer.headers['etag'] = `"${fault.etag}"`;
    return answer;
  }

  private async write(info: S3RequestInfo, payload: Buffer): Promise<Answer> {
    const bucket = this.bucket(info.bucket);
    switch (info.operation) {
      case 'PutObject':
        return emptyAnswer(200, { etag: `"${(await this.writer.putObject(bucket, info, payload)).etag}"` });
      case 'DeleteObject':
        await bucket.delete(info.key);
        return emptyAnswer(204);
      case 'CreateMultipartUpload':
        return xmlAnswer(this.writer.createUpload(info));
      case 'UploadPart':
        return emptyAnswer(200, { etag: `"${this.writer.putPart(info, payload).etag}"` });
      case 'CompleteMultipartUpload':
        return xmlAnswer(await this.writer.completeUpload(bucket, info, payload));
      case 'AbortMultipartUpload':
        this.writer.abortUpload(info);
        return emptyAnswer(204);
      default:
        throw new S3Error(501, 'NotImplemented', 'The test server does not know this operation.');
    }
  }

  private log(entry: LoggedRequest): void {
    this.bytesSent += entry.bytesSent;
    this.counters.set(entry.operation, (this.counters.get(entry.operation) ?? 0) + 1);
    this.requests.push(entry);
    if (this.requests.length > loggedAtMost) this.requests.shift();
  }
}

function xmlAnswer(body: Buffer): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, lengthBytes: body.length, body: [body] };
}

function emptyAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, lengthBytes: 0, body: [] };
}

function errorAnswer(error: unknown): Answer {
  const known = error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error));
  const body = xmlDocument('Error', { Code: known.code, Message: known.message, ...known.details });
  return { ...xmlAnswer(body), status: known.status };
}
