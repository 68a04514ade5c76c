import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { UfsTuning } from '../types.js';
import { AnswerCollector } from './answer-collector.js';
import { ConnectionPools } from './connection-pools.js';
import { readErrorBody } from './object-body.js';
import { Redirects, type RequestTarget } from './redirects.js';
import { RequestSigner } from './request-signature.js';
import { abortedError, networkError, type S3Answer } from './s3-errors.js';
import { encodeKey, encodeValue } from './s3-path.js';
import { originInRegion, SigningRegion, toldRegion } from './s3-region.js';
import type { S3Settings } from './s3-settings.js';

export interface S3Request {
  method: 'GET' | 'HEAD';
  /** UFS path, for errors. */
  path: string;
  /** '' addresses the bucket. */
  key: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Where the body of an answer may be put; see `UfsConnector.read`. */
  into?: Buffer;
}

export interface StreamedAnswer extends Omit<S3Answer, 'body'> {
  body: Readable;
  /** The server that answered, for errors. */
  origin: string;
}

/** One answer of one server, with the facts that decide whether it is the last one. */
interface Hop<A> {
  answer: A;
  status: number;
  headers: S3Answer['headers'];
  /** Of an answer that is not a good one. */
  errorBody: Buffer;
}

const streamBufferBytes = 1024 * 1024;
/** A 403 of a server whose clock and ours differ by more than this may be about the time: servers allow 15 minutes. */
const tolerableSkewMs = 5 * 60 * 1000;

/**
 * Signed HTTP to one bucket. This class transports requests; the connector interprets the answers. It handles buckets
 * in another region, and redirections that the mount allows.
 */
export class S3Client {
  private readonly pools: ConnectionPools;
  /** For answers that go into a buffer of the caller. */
  private readonly placingPools: ConnectionPools;
  private readonly region: SigningRegion;
  /** The server's clock minus ours, once it was found to matter: signatures go by the server's. */
  private clockOffsetMs = 0;
  private readonly signer: RequestSigner | undefined;
  /** The mount's own server in its region. */
  private server: Omit<RequestTarget, 'path'>;

  constructor(
    private readonly settings: S3Settings,
    private readonly tuning: UfsTuning,
  ) {
    this.pools = new ConnectionPools(tuning);
    this.placingPools = new ConnectionPools(tuning, true);
    this.region = new SigningRegion(settings.region);
    this.signer = settings.credentials && new RequestSigner(settings.credentials);
    this.server = serverIn(settings, settings.region);
  }

  /**
   * One exchange with the body in one buffer.
   * @throws UfsError `TooLarge` when a good answer has more than `maxBytes`, and for everything that is no answer
   */
  exchange(request: S3Request, maxBytes: number): Promise<S3Answer> {
    if (request.signal?.aborted) return Promise.reject(abortedError(request.path));
    const ask = async (target: RequestTarget): Promise<Hop<S3Answer>> =>
      hopOf(await this.exchangeOnce(request, target, maxBytes));
    const target = this.home(request);
    const signedAtMs = this.serverNowMs();
    // Nearly all answers are good. Those cost one promise, as small objects come by the thousand.
    return new Promise<S3Answer>((resolve, reject) => {
      const first = (answer: S3Answer): void => {
        if (answer.status >= 300)
          return resolve(this.untilAnswered(request, ask, { hop: hopOf(answer), target, signedAtMs }));
        this.region.confirm(target.region);
        resolve(answer);
      };
      const collector = new AnswerCollector(request, target.origin, maxBytes, first, reject);
      this.pools.of(target).dispatch(this.toDispatch(request, target), collector);
    });
  }

  /** One exchange with the body as a stream, which the caller reads to its end or destroys. */
  async stream(request: S3Request): Promise<StreamedAnswer> {
    return this.untilAnswered(request, async (target) => {
      const answer = await this.streamOnce(request, target);
      const { status, headers } = answer;
      if (status < 300) return { answer, status, headers, errorBody: Buffer.alloc(0) };
      const errorBody = await readErrorBody(answer.body);
      return { answer: { ...answer, body: Readable.from([errorBody]) }, status, headers, errorBody };
    });
  }

  /** Ends all running requests: a connector is closed when no caller waits for it. */
  async close(): Promise<void> {
    await Promise.all([this.pools.destroy(), this.placingPools.destroy()]);
  }

  /**
   * Repeats the request by the server's clock, in the region that it names, and where it redirects to. Each is bounded.
   * @param first an answer that is there already, to a request that went to `target`
   */
  private async untilAnswered<A>(
    request: S3Request,
    ask: (target: RequestTarget) => Promise<Hop<A>>,
    first?: { hop: Hop<A>; target: RequestTarget; signedAtMs: number },
  ): Promise<A> {
    const redirects = new Redirects(this.settings.redirects, request.path);
    let target = first?.target ?? this.home(request);
    let isHome = true;
    let askedForTime = false;
    for (let known = first; ; known = undefined) {
      const signedAtMs = known?.signedAtMs ?? this.serverNowMs();
      const hop = known?.hop ?? (await ask(target));
      if (hop.status < 300) {
        this.region.confirm(target.region);
        return hop.answer;
      }
      if (!askedForTime && this.learnsTheTime(hop, signedAtMs)) {
        askedForTime = true;
        continue;
      }
      const region = toldRegion(hop, hop.errorBody);
      if (region !== undefined && this.region.learn(region, target.region)) {
        target = isHome ? this.home(request) : { ...target, region };
        continue;
      }
      const next = redirects.next(target, hop);
      if (next === undefined) return hop.answer;
      target = next;
      isHome = false;
    }
  }

  private async exchangeOnce(request: S3Request, target: RequestTarget, maxBytes: number): Promise<S3Answer> {
    if (request.signal?.aborted) throw abortedError(request.path);
    return await new Promise<S3Answer>((resolve, reject) => {
      const collector = new AnswerCollector(request, target.origin, maxBytes, resolve, reject);
      const pools = request.into === undefined ? this.pools : this.placingPools;
      pools.of(target).dispatch(this.toDispatch(request, target), collector);
    });
  }

  private async streamOnce(request: S3Request, target: RequestTarget): Promise<StreamedAnswer> {
    if (request.signal?.aborted) throw abortedError(request.path);
    const { origin } = target;
    try {
      const answer = await this.pools.of(target).request({
        ...this.toDispatch(request, target),
        signal: request.signal,
        highWaterMark: streamBufferBytes,
      });
      // The reader of the body gets an error too. Before it reads, an error without a listener would end the process.
      answer.body.on('error', () => undefined);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body, origin };
    } catch (error) {
      if (request.signal?.aborted) throw abortedError(request.path);
      throw networkError(request.path, origin, error, false);
    }
  }

  /**
   * Whether a wrong clock here may be the cause of a refusal, so that another try by the server's clock can help: its
   * `Date` differs from the signed time. (The error's code does not help: the answer to a HEAD has no body.)
   */
  private learnsTheTime({ status, headers }: Pick<S3Answer, 'status' | 'headers'>, signedAtMs: number): boolean {
    if (status !== 403 || this.settings.credentials === undefined) return false;
    const serverNowMs = Date.parse(String(headers.date));
    if (!(Math.abs(serverNowMs - signedAtMs) > tolerableSkewMs)) return false;
    this.clockOffsetMs = serverNowMs - Date.now();
    return true;
  }

  private serverNowMs(): number {
    return Date.now() + this.clockOffsetMs;
  }

  /** The target of the mount's own requests. */
  private home({ key, query }: S3Request): RequestTarget {
    const { settings } = this;
    const region = this.region.current;
    if (region !== this.server.region) this.server = serverIn(settings, region);
    if (key !== '' && query === undefined) return { ...this.server, path: settings.basePath + encodeKey(key) };
    const basePath = key === '' ? settings.basePath.replace(/(.)\/$/, '$1') : settings.basePath;
    const pairs = Object.entries(query ?? {}).map(([name, value]) => `${name}=${encodeValue(value)}`);
    const path = `${basePath}${encodeKey(key)}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
    return { ...this.server, path };
  }

  private toDispatch(request: S3Request, target: RequestTarget): Dispatcher.DispatchOptions {
    const headers = this.signedHeaders(request, target);
    // Not signed: proxies change it. Listings are requested unencoded; objects are never encoded for the way.
    if (request.key === '') headers['accept-encoding'] = 'identity';
    return {
      method: request.method,
      path: target.path,
      headers,
      headersTimeout: this.tuning.idleTimeoutMs,
      bodyTimeout: this.tuning.idleTimeoutMs,
    };
  }

  private signedHeaders(request: S3Request, { host, path, region }: RequestTarget): Record<string, string> {
    const headers = { ...request.headers, host };
    // An address that already has a signature must not get a second one.
    const isPresigned = path.includes('?') && /[?&](?:X-Amz-)?Signature=/i.test(path);
    if (this.signer === undefined || isPresigned) return headers;
    return this.signer.sign({ method: request.method, path, region, headers, atMs: this.serverNowMs() });
  }
}

function hopOf(answer: S3Answer): Hop<S3Answer> {
  return { answer, status: answer.status, headers: answer.headers, errorBody: answer.body };
}

function serverIn(settings: S3Settings, region: string): Omit<RequestTarget, 'path'> {
  const origin = region === settings.region ? settings.origin : originInRegion(settings.origin, region);
  return { origin, host: new URL(origin).host, region };
}
