import { byteRange } from '../byte-range.js';
import {
  UfsError,
  type ContentHash,
  type UfsObject,
  type UfsRead,
  type UfsReadOptions,
  type UfsWholeReadOptions,
} from '../types.js';
import { compareVersions, isStrong, judgeAnswer, noVersion, strongerOf, versionOf } from '../version.js';
import {
  changed,
  givenValidators,
  isAsExpected,
  rangeHeader,
  readHeaders,
  toldObject,
  type ToldObject,
} from './object-answer.js';
import { boundedBody, emptyBody, readErrorBody } from './object-body.js';
import { Preconditions } from './preconditions.js';
import type { S3Client, S3Request, StreamedAnswer } from './s3-client.js';
import type { S3Answer } from './s3-errors.js';

/** What the reader needs from the connector. */
export interface ReaderPorts {
  client: S3Client;
  /** The object as listed; undefined where the listing has no such key. */
  findListed(path: string, key: string, signal?: AbortSignal): Promise<UfsObject | undefined>;
  /** The error for an answer. @param versionExpected the caller knows a version, so the object existed */
  explain(request: S3Request, answer: S3Answer, versionExpected: boolean): Promise<UfsError>;
}

type Told = Pick<ToldObject, 'version' | 'sizeBytes'>;

/**
 * Reads single objects, each read of one version. Answers of some gateways lack ETag, Last-Modified or Content-Length.
 * The caller's knowledge, a HEAD or a listing then fills the gap.
 */
export class ObjectReader {
  private readonly preconditions: Preconditions;
  /** Whether GET, and then the listing, has better validators than HEAD; undefined until the first comparison. */
  private getTellsMore: boolean | undefined;
  private listingTellsMore: boolean | undefined;
  private lengthIsMissing = false;

  constructor(private readonly ports: ReaderPorts) {
    this.preconditions = new Preconditions(ports.client);
  }

  /** The object by HEAD, completed by the listing. @throws UfsError */
  async stat(path: string, key: string, signal?: AbortSignal): Promise<UfsObject> {
    const { request, answer } = await this.head(path, key, signal);
    if (answer.status === 200) return this.describe(request, answer);
    throw await this.ports.explain(request, answer, false);
  }

  async head(path: string, key: string, signal?: AbortSignal): Promise<{ request: S3Request; answer: S3Answer }> {
    const request = { method: 'HEAD', path, key, signal } as const;
    return { request, answer: await this.ports.client.exchange(request, 0) };
  }

  /**
   * The object in a good answer to HEAD. Where that has no strong tag, GET may have one, which decides whether a copy
   * is current, else the listing. A request that has proved to tell no more is not sent again.
   */
  async describe(request: S3Request, answer: Pick<S3Answer, 'status' | 'headers'>): Promise<UfsObject> {
    const { path } = request;
    const head = toldObject(path, answer);
    if (head.sizeBytes !== undefined && isStrong(head.version))
      return { path, sizeBytes: head.sizeBytes, version: head.version };
    const got = this.getTellsMore === false ? undefined : await this.headersOfGet(request, head.sizeBytes);
    const told = got === undefined ? head : this.better(head, got, (tellsMore) => (this.getTellsMore ??= tellsMore));
    if (told.sizeBytes !== undefined && (isStrong(told.version) || this.listingTellsMore === false)) {
      return { path, sizeBytes: told.sizeBytes, version: told.version };
    }
    const listed = await this.lookIntoListing(request);
    const all = listed === undefined ? told : this.better(told, listed, (more) => (this.listingTellsMore ??= more));
    if (all.sizeBytes === undefined) throw noLength(path);
    return { path, sizeBytes: all.sizeBytes, version: all.version };
  }

  /**
   * When the sizes or versions differ, the object may have been replaced between the two answers: the first is as good.
   */
  private better(first: Told, second: Told, learn: (tellsMore: boolean) => void): Told {
    const version = strongerOf(first.version, second.version);
    learn(version !== first.version);
    const sizeBytes = first.sizeBytes ?? second.sizeBytes;
    const agrees =
      sizeBytes === (second.sizeBytes ?? sizeBytes) && compareVersions(first.version, second.version) !== 'other';
    return agrees ? { version, sizeBytes } : first;
  }

  /**
   * Requests the first byte, or everything where the object is empty: an empty range is an error without the object's
   * headers.
   */
  private async headersOfGet(
    { path, key, signal }: S3Request,
    sizeBytes: number | undefined,
  ): Promise<Told | undefined> {
    const range = sizeBytes === 0 ? {} : { start: 0, end: 0 };
    const headers = readHeaders(range, false);
    const answer = await this.ports.client.stream({ method: 'GET', path, key, headers, signal });
    answer.body.destroy();
    const isGood = answer.status === (sizeBytes === 0 ? 200 : 206);
    return isGood ? toldObject(path, answer, range) : undefined;
  }

  /** @param isVouched a tag other than the expected one was proven to be of the expected version */
  async open(path: string, key: string, given: UfsReadOptions, isVouched = false): Promise<UfsRead> {
    const options = this.lengthIsMissing ? await this.withSize(path, key, given) : given;
    const { request, answer } = await this.get(path, key, options);
    if (answer.status !== 200 && answer.status !== 206) {
      const body = await readErrorBody(answer.body);
      if (answer.status === 416) return { object: await this.emptyRange(request, options), body: emptyBody() };
      throw await this.ports.explain(request, { ...answer, body }, options.expectedVersion !== undefined);
    }
    try {
      const told = toldObject(path, answer, options);
      const sizeBytes = told.sizeBytes ?? options.knownSizeBytes;
      const isDoubtful = told.likeness === 'other' && !isVouched;
      if (sizeBytes === undefined || isDoubtful) {
        // Destroyed first: an answer that waits for another one can take the last connection from it.
        answer.body.destroy();
        this.lengthIsMissing ||= sizeBytes === undefined;
        if (isDoubtful) await this.requireVouched(request);
        return await this.open(path, key, given, isVouched || isDoubtful);
      }
      const { object, confirm } = this.identify(request, answer, { ...told, sizeBytes }, options);
      const { length } = byteRange(object, options);
      return {
        object,
        body: boundedBody(answer.body, { path, origin: answer.origin, length, signal: options.signal, confirm }),
      };
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  /** Most reads are of a whole object whose tag and size are known, and get just that. */
  async read(path: string, key: string, options: UfsWholeReadOptions): Promise<{ object: UfsObject; bytes: Buffer }> {
    const got = await this.getWhole(path, key, options);
    if (!isAsExpected(got.answer, options)) return this.examine(got, options);
    const bytes = got.answer.body;
    return { object: { path, version: options.expectedVersion!, sizeBytes: bytes.length }, bytes };
  }

  private async examine({ request, answer }: { request: S3Request; answer: S3Answer }, options: UfsWholeReadOptions) {
    const { path, key } = request;
    if (answer.status === 416) return { object: await this.emptyRange(request, options), bytes: Buffer.alloc(0) };
    if (answer.status !== 200 && answer.status !== 206) {
      throw await this.ports.explain(request, answer, options.expectedVersion !== undefined);
    }
    // A body in chunks marks its own end; one that ends with its connection does not (RFC 9112, 6.3).
    const isWhole = answer.headers['transfer-encoding'] === 'chunked' && rangeHeader(options) === undefined;
    const told = toldObject(path, answer, options);
    const sizeBytes =
      told.sizeBytes ??
      (isWhole ? answer.body.length : (await this.withSize(path, key, options, told.version)).knownSizeBytes);
    if (told.likeness === 'other') await this.requireVouched(request);
    if (isWhole && options.knownSizeBytes !== undefined && sizeBytes !== options.knownSizeBytes) throw changed(path);
    const { object, confirm } = this.identify(request, answer, { ...told, sizeBytes }, options);
    const { length } = byteRange(object, options);
    if (answer.body.length !== length) {
      const sentence = `The object ended after ${answer.body.length} of ${length} bytes: ${path}.`;
      throw new UfsError('Truncated', path, sentence);
    }
    await confirm?.();
    return { object, bytes: answer.body };
  }

  async contentHash({ path, version }: UfsObject, key: string, signal?: AbortSignal): Promise<ContentHash | undefined> {
    if (!/^[0-9a-f]{32}$/i.test(version)) return undefined;
    // Under these two kinds of encryption the ETag has the form of an MD5 and is none
    // (Amazon S3 API reference, data type Object, ETag); only the object's headers tell.
    const { request, answer } = await this.head(path, key, signal);
    if (answer.status !== 200) throw await this.ports.explain(request, answer, true);
    if (judgeAnswer(version, givenValidators(answer)).likeness === 'other') throw changed(path);
    const hidesHash =
      String(answer.headers['x-amz-server-side-encryption'] ?? '').startsWith('aws:kms') ||
      answer.headers['x-amz-server-side-encryption-customer-algorithm'] !== undefined;
    return hidesHash ? undefined : { algorithm: 'md5', hex: version.toLowerCase() };
  }

  private get(path: string, key: string, options: UfsReadOptions) {
    return this.conditionally(path, key, options, async (request) => {
      const answer = await this.ports.client.stream(request);
      return { request, answer, discard: () => void answer.body.destroy() };
    });
  }

  private getWhole(path: string, key: string, options: UfsWholeReadOptions) {
    return this.conditionally(path, key, options, async (request) => {
      const answer = await this.ports.client.exchange({ ...request, into: options.into }, options.maxBytes);
      return { request, answer, discard: () => undefined };
    });
  }

  /** Repeats the request without the precondition, where the server refuses the very version that it has. */
  private async conditionally<T extends { answer: Pick<S3Answer, 'status'>; discard: () => void }>(
    path: string,
    key: string,
    options: UfsReadOptions,
    send: (request: S3Request) => Promise<T>,
  ): Promise<T> {
    const { signal, expectedVersion } = options;
    const isConditional = this.preconditions.isSent(expectedVersion);
    const once = (conditional: boolean) =>
      send({ method: 'GET', path, key, headers: readHeaders(options, conditional), signal });
    const first = await once(isConditional);
    if (!isConditional || expectedVersion === undefined) return first;
    if (first.answer.status === 400 || first.answer.status === 501)
      return this.preconditions.dropIfGood(first, () => once(false));
    if (first.answer.status !== 412) return first;
    const current = () => this.stat(path, key, signal);
    if (!(await this.preconditions.mislead(path, expectedVersion, current))) return first;
    first.discard();
    return once(false);
  }

  /**
   * The object in a good answer to GET.
   * @returns `confirm` where another request, after the last byte, must prove that the bytes are the expected version's
   * @throws UfsError `Changed`; `Invalid` for a part of an object whose version is unknown
   */
  private identify(
    request: S3Request,
    answer: Pick<StreamedAnswer, 'status' | 'headers'>,
    { version, sizeBytes, likeness }: Required<ToldObject>,
    { expectedVersion, start = 0 }: UfsReadOptions,
  ): { object: UfsObject; confirm?: () => Promise<void> } {
    const { path, key, signal } = request;
    const object = { path, version, sizeBytes };
    if (expectedVersion === undefined || likeness !== 'unknown') return { object };
    if (expectedVersion === noVersion) {
      if (start === 0) return { object: { ...object, version: versionOf(givenValidators(answer)) } };
      const sentence = `The store gives no version of the object, so its parts cannot be combined: ${path}.`;
      throw new UfsError('Invalid', path, sentence);
    }
    const confirm = async (): Promise<void> => {
      if (await this.preconditions.vouchFor(request)) return;
      const now = await this.stat(path, key, signal);
      if (now.sizeBytes === sizeBytes && compareVersions(now.version, expectedVersion) === 'same') return;
      throw changed(path);
    };
    return { object, confirm };
  }

  /**
   * An answer with another tag is of the expected version only where the server has proven that it checks the version:
   * some servers name a version in GET differently from elsewhere. @throws UfsError `Changed`
   */
  private async requireVouched(request: S3Request): Promise<void> {
    if (!(await this.preconditions.vouchFor(request, true))) throw changed(request.path);
  }

  /** The options with the object's current size; of the same version as the expected one or the answer's. */
  private async withSize<T extends UfsReadOptions>(
    path: string,
    key: string,
    options: T,
    version = options.expectedVersion,
  ): Promise<T & { knownSizeBytes: number; expectedVersion: string }> {
    const { knownSizeBytes, expectedVersion } = options;
    if (knownSizeBytes !== undefined && expectedVersion !== undefined) {
      return { ...options, knownSizeBytes, expectedVersion };
    }
    const now = await this.stat(path, key, options.signal);
    if (version !== undefined && compareVersions(now.version, version) === 'other') throw changed(path);
    return { ...options, knownSizeBytes: now.sizeBytes, expectedVersion: expectedVersion ?? now.version };
  }

  /** After a 416: a range that begins at the very end is empty; one beyond it is an error. */
  private async emptyRange({ path, key, signal }: S3Request, options: UfsReadOptions): Promise<UfsObject> {
    const object = await this.stat(path, key, signal);
    const { expectedVersion } = options;
    if (expectedVersion !== undefined && compareVersions(object.version, expectedVersion) === 'other')
      throw changed(path);
    const { length } = byteRange(object, options);
    if (length === 0) return object;
    throw new UfsError('Unavailable', path, `The server refuses the range ${rangeHeader(options)}: ${path}.`);
  }

  /** A client that may not list learns nothing here, and uses the other answers. */
  private async lookIntoListing({ path, key, signal }: S3Request): Promise<UfsObject | undefined> {
    try {
      return await this.ports.findListed(path, key, signal);
    } catch (error) {
      if (error instanceof UfsError && ['Forbidden', 'Invalid', 'NotFound'].includes(error.code)) return undefined;
      throw error;
    }
  }
}

function noLength(path: string): UfsError {
  return new UfsError('Unavailable', path, `Neither the server's answer nor its listing has the length: ${path}.`);
}
