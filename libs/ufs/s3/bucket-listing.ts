import { UfsError, type UfsListOptions, type UfsListPage, type UfsObject } from '../types.js';
import { parseKeyPage, type KeyPage } from './list-xml.js';
import type { S3Client } from './s3-client.js';
import { decodeCursor, encodeCursor, type S3Cursor } from './s3-cursor.js';
import { answerError } from './s3-errors.js';
import { keyFault } from './s3-path.js';

/** S3 never gives more (ListObjectsV2, max-keys). */
const maxKeysPerPage = 1000;
/** A thousand keys of 1024 bytes, each byte written as `%XX`, and as much again for the rest. */
const maxListAnswerBytes = 8 * 1024 * 1024;

export interface ListingPorts {
  client: Pick<S3Client, 'exchange'>;
  bucket: string;
  /** The object named exactly so; undefined where there is none. */
  findExact(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined>;
}

/** What a bucket lists. */
export class BucketListing {
  constructor(private readonly ports: ListingPorts) {}

  async list(path: string, key: string, options: UfsListOptions): Promise<UfsListPage> {
    const limit = Math.min(options.limit ?? maxKeysPerPage, maxKeysPerPage);
    const isDirectory = key === '' || key.endsWith('/');
    const page: UfsListPage = { objects: [], rejected: [], specialCount: 0 };
    if (!isDirectory && options.after === undefined) {
      const exact = await this.ports.findExact(path, key, options.signal);
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

  /** The object by the listing: the first key with itself as prefix. */
  async find(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined> {
    const [first] = (await this.listKeys(path, key, {}, 1, { signal })).keys;
    return first?.key === key ? { path, sizeBytes: first.sizeBytes, version: first.version } : undefined;
  }

  /** Whether there is any key in the directory of this name. */
  async hasBelow(path: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    const { keys } = await this.listKeys(path, prefix, {}, 1, { signal });
    return keys.length > 0;
  }

  private addKeys(page: UfsListPage, { keys }: KeyPage): void {
    for (const { key, sizeBytes, version } of keys) {
      const path = `s3://${this.ports.bucket}/${key}`;
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
    const answer = await this.ports.client.exchange(request, maxListAnswerBytes);
    if (answer.status !== 200) throw answerError(path, answer);
    const page = parseKeyPage(answer.body.toString('utf8'));
    if (page !== undefined) return page;
    throw new UfsError('Unavailable', path, `The server's answer is no S3 listing, or not a whole one: ${path}.`);
  }
}
