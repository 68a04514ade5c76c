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
import { usualBounds } from './ahead/ahead-limits.js';
import { BucketListing } from './bucket-listing.js';
import { S3Client, type S3Request } from './s3-client.js';
import { answerError, type S3Answer } from './s3-errors.js';
import { ObjectReader } from './object-reader.js';
import { keyOf } from './s3-path.js';
import { s3Settings, type S3Settings } from './s3-settings.js';

/** `s3://`: one bucket, or the part below a prefix of it, on Amazon S3 or any server with the same protocol. */
export class S3Connector implements UfsConnector {
  /** Stores limit the rate of a connection. */
  readonly readsParts = true;
  private readonly settings: S3Settings;
  private readonly client: S3Client;
  private readonly listing: BucketListing;
  private readonly objects: ObjectReader;

  /** @throws UfsError `Invalid` naming the option */
  constructor(location: UfsLocation, tuning: UfsTuning) {
    this.settings = s3Settings(location);
    this.client = new S3Client(this.settings, tuning);
    this.listing = new BucketListing({
      client: this.client,
      bucket: this.settings.bucket,
      isUnordered: this.settings.unorderedListing,
      ahead: usualBounds,
      findExact: (path, key, signal) => this.findExact(path, key, signal),
    });
    this.objects = new ObjectReader({
      client: this.client,
      findListed: (path, key, signal) => this.listing.find(path, key, signal),
      explain: (request, answer, versionExpected) => this.explain(request, answer, versionExpected),
    });
  }

  async list(path: string, options: UfsListOptions = {}): Promise<UfsListPage> {
    return await this.listing.list(path, keyOf(path, this.settings), options);
  }

  async stat(path: string, signal?: AbortSignal): Promise<UfsObject> {
    const key = keyOf(path, this.settings);
    if (key === '') throw this.isDirectory(path);
    const { request, answer } = await this.objects.head(path, key, signal);
    if (answer.status !== 200) throw await this.explain(request, answer, false);
    if (!(await this.isDirectoryAlone(request, answer))) return await this.objects.describe(request, answer);
    throw (await this.listing.hasBelow(path, key, signal)) ? this.isDirectory(path) : notThere(path);
  }

  async exists(path: string, signal?: AbortSignal): Promise<boolean> {
    const key = keyOf(path, this.settings);
    try {
      if (key !== '' && !key.endsWith('/') && (await this.findExact(path, key, signal)) !== undefined) return true;
      return (await this.listing.hasBelow(path, key, signal)) || key === '';
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
    this.listing.close();
    await this.client.close();
  }

  private objectKey(path: string, range: Pick<UfsReadOptions, 'start' | 'end'> = {}): string {
    assertRange(path, range);
    const key = keyOf(path, this.settings);
    if (key === '') throw this.isDirectory(path);
    return key;
  }

  private async findExact(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined> {
    const { request, answer } = await this.objects.head(path, key, signal);
    if (answer.status === 200) {
      return (await this.isDirectoryAlone(request, answer)) ? undefined : this.objects.describe(request, answer);
    }
    if (answer.status === 404) return undefined;
    // A client that may list but not read gets 403 here, but the listing has the object.
    if (answer.status !== 403) throw answerError(path, answer);
    return this.listing.find(path, key, signal);
  }

  /**
   * Stores with directories of their own answer a HEAD for one with 200 and a size of 0 (SeaweedFS, Ozone, Swift,
   * gateways to file systems). The listing shows whether there is also an object of that name.
   */
  private async isDirectoryAlone({ path, key, signal }: S3Request, { headers }: S3Answer): Promise<boolean> {
    const isNamedSo = /^(?:httpd\/unix|application\/x)-directory\b/i.test(String(headers['content-type'] ?? ''));
    if (key.endsWith('/') || (!isNamedSo && headers['content-length'] !== '0')) return false;
    try {
      return (await this.listing.find(path, key, signal)) === undefined;
    } catch (error) {
      // A client that may read but not list has only the HEAD.
      if (error instanceof UfsError && error.code === 'Forbidden') return isNamedSo;
      throw error;
    }
  }

  /** The error for an answer. Checks whether a path without an object is a directory. */
  private async explain({ path, key, signal }: S3Request, answer: S3Answer, versionExpected: boolean) {
    const error = answerError(path, answer);
    // A caller that expects a version has seen the object: it is gone. A second request per lost object would cost too
    // much.
    if (error.code !== 'NotFound' || versionExpected || key.endsWith('/')) return error;
    if (answer.body.includes('NoSuchBucket')) return error;
    return (await this.listing.hasBelow(path, key, signal)) ? this.isDirectory(path) : error;
  }

  private isDirectory(path: string): UfsError {
    return new UfsError('IsDirectory', path, `The path is a directory: ${path}.`);
  }
}

function notThere(path: string): UfsError {
  return new UfsError('NotFound', path, `There is no such object: ${path}.`);
}
