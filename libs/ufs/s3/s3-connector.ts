import { assertRange, byteRange } from '../byte-range.js';
import {
  UfsError,
  type ContentHash,
  type UfsConnector,
  type UfsListOptions,
  type UfsListPage,
  type UfsLocation,
  type UfsObject,
  type UfsRead,
  type UfsReadOptions,
  type UfsTuning,
} from '../types.js';
import { parseKeyPage, type KeyPage } from './list-xml.js';
import { decodeCursor, encodeCursor, type S3Cursor } from './s3-cursor.js';
import { S3Client, errorBodyBytes, type S3Request } from './s3-client.js';
import { answerError, type S3Answer } from './s3-errors.js';
import { objectOf, rangeHeader, readHeaders } from './object-answer.js';
import { boundedBody, emptyBody } from './object-body.js';
import { keyFault, keyOf } from './s3-path.js';
import { s3Settings, type S3Settings } from './s3-settings.js';

/** S3 never gives more (ListObjectsV2, max-keys). */
const maxKeysPerPage = 1000;
/** A thousand keys of 1024 bytes, each byte written as `%XX`, and as much again for the rest. */
const maxListAnswerBytes = 8 * 1024 * 1024;

/** `s3://`: one bucket, or what lies below a prefix of it, on Amazon S3 or any server that speaks its protocol. */
export class S3Connector implements UfsConnector {
  private readonly settings: S3Settings;
  private readonly client: S3Client;

  /** @throws UfsError `Invalid` naming the option */
  constructor(location: UfsLocation, tuning: UfsTuning) {
    this.settings = s3Settings(location);
    this.client = new S3Client(this.settings, tuning);
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsListPage> {
    const key = keyOf(path, this.settings);
    const limit = Math.min(options.limit ?? maxKeysPerPage, maxKeysPerPage);
    const isDirectory = key === '' || key.endsWith('/');
    const page: UfsListPage = { objects: [], rejected: [], specialCount: 0 };
    if (!isDirectory && options.after === undefined) {
      const exact = await this.findExact(path, key, options.signal);
      if (exact !== undefined) page.objects.push(exact);
      if (page.objects.length >= limit) return { ...page, next: encodeCursor({ afterKey: key }) };
    }
    const cursor = options.after === undefined ? {} : decodeCursor(path, options.after);
    const keys = await this.listKeys(path, isDirectory ? key : `${key}/`, cursor, limit - page.objects.length, options);
    this.addKeys(page, keys);
    if (!keys.isTruncated) return page;
    const afterKey = keys.keys.at(-1)?.key;
    if (afterKey !== undefined) return { ...page, next: encodeCursor({ afterKey }) };
    if (keys.continuationToken !== undefined) return { ...page, next: encodeCursor({ token: keys.continuationToken }) };
    throw new UfsError('Unavailable', path, `The server announces a further page and does not say where: ${path}.`);
  }

  async stat(path: string, signal?: AbortSignal): Promise<UfsObject> {
    const key = keyOf(path, this.settings);
    if (key === '') throw this.isDirectory(path);
    const answer = await this.client.exchange({ method: 'HEAD', path, key, signal }, 0);
    if (answer.status !== 200) throw await this.explain(path, key, answer, signal);
    return objectOf(path, answer);
  }

  async exists(path: string, signal?: AbortSignal): Promise<boolean> {
    const key = keyOf(path, this.settings);
    try {
      if (key !== '' && !key.endsWith('/') && (await this.findExact(path, key, signal)) !== undefined) return true;
      return (await this.isPrefix(path, key, signal)) || key === '';
    } catch (error) {
      if (error instanceof UfsError && error.code === 'NotFound') return false;
      throw error;
    }
  }

  async open(path: string, options: UfsReadOptions = {}): Promise<UfsRead> {
    const request = this.readRequest(path, options);
    const answer = await this.client.stream(request);
    if (answer.status !== 200 && answer.status !== 206) {
      const body = await readErrorBody(answer.body);
      if (answer.status === 416) return { object: await this.emptyRange(path, options), body: emptyBody() };
      throw await this.explain(path, request.key, { ...answer, body }, options.signal, options.expectedVersion);
    }
    try {
      const object = objectOf(path, answer, options);
      const { length } = byteRange(object, options);
      return { object, body: boundedBody(answer.body, path, this.settings.origin, length, options.signal) };
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  async read(path: string, options: UfsReadOptions & { maxBytes: number }) {
    const request = this.readRequest(path, options);
    const answer = await this.client.exchange(request, options.maxBytes);
    if (answer.status === 416) return { object: await this.emptyRange(path, options), bytes: Buffer.alloc(0) };
    if (answer.status !== 200 && answer.status !== 206) {
      throw await this.explain(path, request.key, answer, options.signal, options.expectedVersion);
    }
    const object = objectOf(path, answer, options);
    const { length } = byteRange(object, options);
    if (answer.body.length !== length) {
      const sentence = `The object ended after ${answer.body.length} of ${length} bytes: ${path}.`;
      throw new UfsError('Truncated', path, sentence);
    }
    return { object, bytes: answer.body };
  }

  async contentHash(object: UfsObject, signal?: AbortSignal): Promise<ContentHash | undefined> {
    if (!/^[0-9a-f]{32}$/i.test(object.version)) return undefined;
    // Under these two kinds of encryption the ETag has the form of an MD5 and is none
    // (Amazon S3 API reference, data type Object, ETag); only the object's headers tell.
    const key = this.objectKey(object.path);
    const headers = readHeaders({ expectedVersion: object.version });
    const answer = await this.client.exchange({ method: 'HEAD', path: object.path, key, headers, signal }, 0);
    if (answer.status !== 200) throw await this.explain(object.path, key, answer, signal, object.version);
    const hidesHash =
      String(answer.headers['x-amz-server-side-encryption'] ?? '').startsWith('aws:kms') ||
      answer.headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
    return hidesHash ? undefined : { algorithm: 'md5', hex: object.version.toLowerCase() };
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  private readRequest(path: string, options: UfsReadOptions): S3Request {
    assertRange(path, options);
    const key = this.objectKey(path);
    return { method: 'GET', path, key, headers: readHeaders(options), signal: options.signal };
  }

  private objectKey(path: string): string {
    const key = keyOf(path, this.settings);
    if (key === '') throw this.isDirectory(path);
    return key;
  }

  private addKeys(page: UfsListPage, { keys }: KeyPage): void {
    for (const { key, sizeBytes, etag } of keys) {
      const path = `s3://${this.settings.bucket}/${key}`;
      const reason = keyFault(key);
      if (reason === undefined) page.objects.push({ path, sizeBytes, version: etag });
      else page.rejected.push({ path, reason });
    }
  }

  private async listKeys(path: string, prefix: string, cursor: S3Cursor, limit: number, options: UfsListOptions) {
    const query: Record<string, string> = {
      'encoding-type': 'url',
      'list-type': '2',
      'max-keys': String(limit),
      prefix,
    };
    if ('token' in cursor) query['continuation-token'] = cursor.token;
    else if ('afterKey' in cursor) query['start-after'] = cursor.afterKey;
    const request = { method: 'GET', path, key: '', query, signal: options.signal } as const;
    const answer = await this.client.exchange(request, maxListAnswerBytes);
    if (answer.status !== 200) throw answerError(path, answer);
    const page = parseKeyPage(answer.body.toString('utf8'));
    if (page !== undefined) return page;
    throw new UfsError('Unavailable', path, `The server's answer is no S3 listing, or not a whole one: ${path}.`);
  }

  private async findExact(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined> {
    const answer = await this.client.exchange({ method: 'HEAD', path, key, signal }, 0);
    if (answer.status === 200) return objectOf(path, answer);
    if (answer.status === 404) return undefined;
    // Who may list but not read sees 403 here; the listing knows the object nevertheless, as the first key with itself
    // as prefix.
    if (answer.status !== 403) throw answerError(path, answer);
    const [first] = (await this.listKeys(path, key, {}, 1, { signal })).keys;
    return first?.key === key ? { path, sizeBytes: first.sizeBytes, version: first.etag } : undefined;
  }

  private async isPrefix(path: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    const { keys } = await this.listKeys(path, prefix, {}, 1, { signal });
    return keys.length > 0;
  }

  /** The error for an answer, after a look at whether the path that names no object is a directory. */
  private async explain(path: string, key: string, answer: S3Answer, signal?: AbortSignal, expectedVersion?: string) {
    const error = answerError(path, answer);
    // Who expects a version has seen the object: it is gone, and a second request per lost object is not worth it.
    if (error.code !== 'NotFound' || expectedVersion !== undefined || key.endsWith('/')) return error;
    if (answer.body.includes('NoSuchBucket')) return error;
    return (await this.isPrefix(path, key, signal)) ? this.isDirectory(path) : error;
  }

  /** After a 416: a range that begins at the very end is empty, one beyond it is an error. */
  private async emptyRange(path: string, options: UfsReadOptions): Promise<UfsObject> {
    const key = this.objectKey(path);
    const headers = readHeaders({ expectedVersion: options.expectedVersion });
    const answer = await this.client.exchange({ method: 'HEAD', path, key, headers, signal: options.signal }, 0);
    if (answer.status !== 200) throw answerError(path, answer);
    const object = objectOf(path, answer, { expectedVersion: options.expectedVersion });
    const { length } = byteRange(object, options);
    if (length === 0) return object;
    throw new UfsError('Unavailable', path, `The server refuses the range ${rangeHeader(options)}: ${path}.`);
  }

  private isDirectory(path: string): UfsError {
    return new UfsError('IsDirectory', path, `The path is a directory: ${path}.`);
  }
}

async function readErrorBody(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      if ((bytes += chunk.length) > errorBodyBytes) break;
    }
  } catch {
    // The status says enough for an error; the body would only have told it more exactly.
  }
  return Buffer.concat(chunks);
}
