import { assertRange } from '../byte-range.js';
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
import { S3Client, type S3Request } from './s3-client.js';
import { answerError, type S3Answer } from './s3-errors.js';
import { ObjectReader } from './object-reader.js';
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
  private readonly objects: ObjectReader;

  /** @throws UfsError `Invalid` naming the option */
  constructor(location: UfsLocation, tuning: UfsTuning) {
    this.settings = s3Settings(location);
    this.client = new S3Client(this.settings, tuning);
    this.objects = new ObjectReader({
      client: this.client,
      findListed: (path, key, signal) => this.findListed(path, key, signal),
      explain: (request, answer, versionExpected) => this.explain(request, answer, versionExpected),
    });
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
    return await this.objects.stat(path, key, signal);
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
    return await this.objects.open(path, this.objectKey(path, options), options);
  }

  async read(path: string, options: UfsReadOptions & { maxBytes: number }) {
    return await this.objects.read(path, this.objectKey(path, options), options);
  }

  async contentHash(object: UfsObject, signal?: AbortSignal): Promise<ContentHash | undefined> {
    return await this.objects.contentHash(object, this.objectKey(object.path), signal);
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  private objectKey(path: string, range: Pick<UfsReadOptions, 'start' | 'end'> = {}): string {
    assertRange(path, range);
    const key = keyOf(path, this.settings);
    if (key === '') throw this.isDirectory(path);
    return key;
  }

  private addKeys(page: UfsListPage, { keys }: KeyPage): void {
    for (const { key, sizeBytes, version } of keys) {
      const path = `s3://${this.settings.bucket}/${key}`;
      const reason = keyFault(key);
      if (reason === undefined) page.objects.push({ path, sizeBytes, version });
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
    const { request, answer } = await this.objects.head(path, key, signal);
    if (answer.status === 200) return this.objects.describe(request, answer);
    if (answer.status === 404) return undefined;
    // Who may list but not read sees 403 here; the listing knows the object nevertheless.
    if (answer.status !== 403) throw answerError(path, answer);
    return this.findListed(path, key, signal);
  }

  /** The object by the listing: the first key with itself as prefix. */
  private async findListed(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined> {
    const [first] = (await this.listKeys(path, key, {}, 1, { signal })).keys;
    return first?.key === key ? { path, sizeBytes: first.sizeBytes, version: first.version } : undefined;
  }

  private async isPrefix(path: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    const { keys } = await this.listKeys(path, prefix, {}, 1, { signal });
    return keys.length > 0;
  }

  /** The error for an answer, after a look at whether the path that names no object is a directory. */
  private async explain({ path, key, signal }: S3Request, answer: S3Answer, versionExpected: boolean) {
    const error = answerError(path, answer);
    // Who expects a version has seen the object: it is gone, and a second request per lost object is not worth it.
    if (error.code !== 'NotFound' || versionExpected || key.endsWith('/')) return error;
    if (answer.body.includes('NoSuchBucket')) return error;
    return (await this.isPrefix(path, key, signal)) ? this.isDirectory(path) : error;
  }

  private isDirectory(path: string): UfsError {
    return new UfsError('IsDirectory', path, `The path is a directory: ${path}.`);
  }
}
