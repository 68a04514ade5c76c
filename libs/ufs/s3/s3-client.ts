import aws4 from 'aws4';
import { Pool, type Dispatcher } from 'undici';
import { UfsError, type UfsTuning } from '../types.js';
import { errorBodyBytes } from './object-body.js';
import { abortedError, networkError, type S3Answer } from './s3-errors.js';
import { encodeKey, encodeValue } from './s3-path.js';
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
}

export type StreamedAnswer = Omit<S3Answer, 'body'> & { body: Dispatcher.ResponseData['body'] };

const streamBufferBytes = 1024 * 1024;
/** A 403 of a server whose clock and ours differ by more than this may be about the time: servers allow 15 minutes. */
const tolerableSkewMs = 5 * 60 * 1000;

/** Signed HTTP to one bucket: what an answer means is the connector's business, how it travels is this one's. */
export class S3Client {
  private readonly pool: Pool;
  private readonly host: string;
  /** Where requests go, for errors. */
  readonly origin: string;
  /** The server's clock minus ours, once it was found to matter: signatures go by the server's. */
  private clockOffsetMs = 0;

  constructor(
    private readonly settings: S3Settings,
    private readonly tuning: UfsTuning,
  ) {
    this.origin = settings.origin;
    this.host = new URL(settings.origin).host;
    this.pool = new Pool(settings.origin, {
      connections: tuning.maxConnections,
      connect: { timeout: tuning.connectTimeoutMs },
    });
  }

  /**
   * One exchange with the body in one buffer.
   * @throws UfsError `TooLarge` when a good answer has more than `maxBytes`, and for everything that is no answer
   */
  async exchange(request: S3Request, maxBytes: number): Promise<S3Answer> {
    const signedAtMs = this.serverNowMs();
    const answer = await this.exchangeOnce(request, maxBytes);
    return this.learnsTheTime(answer, signedAtMs) ? this.exchangeOnce(request, maxBytes) : answer;
  }

  /** One exchange with the body as a stream, which the caller reads to its end or destroys. */
  async stream(request: S3Request): Promise<StreamedAnswer> {
    const signedAtMs = this.serverNowMs();
    const answer = await this.streamOnce(request);
    if (!this.learnsTheTime(answer, signedAtMs)) return answer;
    answer.body.destroy();
    return this.streamOnce(request);
  }

  private async exchangeOnce(request: S3Request, maxBytes: number): Promise<S3Answer> {
    if (request.signal?.aborted) throw abortedError(request.path);
    return await new Promise<S3Answer>((resolve, reject) => {
      const collector = new AnswerCollector(request, this.settings.origin, maxBytes, resolve, reject);
      this.pool.dispatch(this.toDispatch(request), collector);
    });
  }

  private async streamOnce(request: S3Request): Promise<StreamedAnswer> {
    if (request.signal?.aborted) throw abortedError(request.path);
    try {
      const answer = await this.pool.request({
        ...this.toDispatch(request),
        signal: request.signal,
        highWaterMark: streamBufferBytes,
      });
      // An error also arrives where the body is read. Before that, with no listener, it would end the process.
      answer.body.on('error', () => undefined);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      if (request.signal?.aborted) throw abortedError(request.path);
      throw networkError(request.path, this.settings.origin, error, false);
    }
  }

  /** Ends what is still running: a connector is closed when nobody waits for it any more. */
  async close(): Promise<void> {
    await this.pool.destroy();
  }

  /**
   * Whether a refusal may be due to a wrong clock here, and is worth another try by the server's: its `Date` is another
   * time than the one that was signed. (The error's code is no help: the answer to a HEAD has no body.)
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

  private toDispatch(request: S3Request): Dispatcher.DispatchOptions {
    const query = Object.entries(request.query ?? {}).map(([name, value]) => `${name}=${encodeValue(value)}`);
    const basePath = request.key === '' ? this.settings.basePath.replace(/(.)\/$/, '$1') : this.settings.basePath;
    const path = `${basePath}${encodeKey(request.key)}${query.length === 0 ? '' : `?${query.join('&')}`}`;
    return {
      method: request.method,
      path,
      // Not signed: proxies change it. Listings are asked for as they are, objects are never encoded for the way.
      headers: {
        ...this.signedHeaders(request, path),
        ...(request.key === '' ? { 'accept-encoding': 'identity' } : {}),
      },
      headersTimeout: this.tuning.idleTimeoutMs,
      bodyTimeout: this.tuning.idleTimeoutMs,
    };
  }

  /** AWS Signature Version 4 in the Authorization header; the body of a GET is empty, so its hash is not needed. */
  private signedHeaders(request: S3Request, path: string): Record<string, string> {
    const headers = { ...request.headers, host: this.host };
    if (this.settings.credentials === undefined) return headers;
    // `20260102T030405Z`
    const date = new Date(this.serverNowMs()).toISOString().replace(/[-:]|\.\d{3}/g, '');
    const signed = aws4.sign(
      {
        method: request.method,
        path,
        service: 's3',
        region: this.settings.region,
        headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-date': date },
      },
      this.settings.credentials,
    );
    return signed.headers as Record<string, string>;
  }
}

/** Collects a small body without a stream, which would cost as much as the exchange itself. */
class AnswerCollector implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: S3Answer['headers'] = {};
  private chunks: Buffer[] = [];
  private collectedBytes = 0;
  private limitBytes = errorBodyBytes;
  private settled = false;

  constructor(
    private readonly request: S3Request,
    private readonly origin: string,
    private readonly maxBytes: number,
    private readonly resolve: (answer: S3Answer) => void,
    private readonly reject: (error: UfsError) => void,
  ) {
    request.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.settled) controller.abort(abortedError(this.request.path));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: S3Answer['headers']): void {
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.limitBytes = status < 300 ? this.maxBytes : errorBodyBytes;
    if (this.request.method !== 'HEAD' && status < 300) this.assertFits(Number(headers['content-length'] ?? 0));
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.collectedBytes += chunk.length;
    if (this.status < 300) this.assertFits(this.collectedBytes);
    if (this.collectedBytes <= this.limitBytes) this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.settle();
    this.resolve({ status: this.status, headers: this.headers, body: exactBuffer(this.chunks) });
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.settled) return;
    this.settle();
    this.reject(networkError(this.request.path, this.origin, error, this.status !== 0));
  }

  private assertFits(bytes: number): void {
    if (bytes <= this.limitBytes) return;
    const path = this.request.path;
    this.fail(
      new UfsError('TooLarge', path, `The answer has more than the ${this.limitBytes} bytes asked for: ${path}.`),
    );
  }

  private readonly onAbort = (): void => this.fail(abortedError(this.request.path));

  private fail(error: UfsError): void {
    if (this.settled) return;
    this.settle();
    this.reject(error);
    this.controller?.abort(error);
  }

  private settle(): void {
    this.settled = true;
    this.request.signal?.removeEventListener('abort', this.onAbort);
  }
}

/** A copy of its own size: the chunks are slices of the sockets' larger buffers and would keep those in memory. */
function exactBuffer(chunks: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) offset += chunk.copy(whole, offset);
  return whole;
}
