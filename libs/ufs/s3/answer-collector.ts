import { offAbort, onAbort } from '#async';
import type { Dispatcher } from 'undici';
import { UfsError } from '../types.js';
import { errorBodyBytes } from './object-body.js';
import { abortedError, networkError, type S3Answer } from './s3-errors.js';
import type { S3Request } from './s3-client.js';

/** A body of this length or more goes where it ends up as it comes: a second copy of it would cost memory. */
const placedBytes = 1024 * 1024;

/** Share of a socket's buffer that a body must fill to be kept in it. */
const worthKeeping = 0.75;

/** Collects a small body without a stream, which would cost as much as the exchange itself. */
export class AnswerCollector implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: S3Answer['headers'] = {};
  private chunks: Buffer[] = [];
  /** For a long body of announced length. */
  private whole: Buffer | undefined;
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
    if (request.signal) onAbort(request.signal, this.onAbort);
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
    if (this.request.method === 'HEAD' || status >= 300) return;
    const length = Number(headers['content-length'] ?? 0);
    this.assertFits(length);
    if (length < placedBytes || length > this.limitBytes) return;
    const { into } = this.request;
    this.whole =
      into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    // The buffer may have got another use since.
    if (this.settled) return;
    this.collectedBytes += chunk.length;
    if (this.status < 300) this.assertFits(this.collectedBytes);
    if (this.whole !== undefined && this.collectedBytes <= this.whole.length) {
      chunk.copy(this.whole, this.collectedBytes - chunk.length);
    } else if (this.collectedBytes <= this.limitBytes) {
      // The sockets of a request with `into` use their buffers again (`placing-sockets.ts`).
      this.chunks.push(this.request.into === undefined ? chunk : Buffer.from(chunk));
    }
  }

  onResponseEnd(): void {
    if (this.settled) return;
    this.settle();
    this.resolve({ status: this.status, headers: this.headers, body: this.body() });
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.settled) return;
    this.settle();
    this.reject(networkError(this.request.path, this.origin, error, this.status !== 0));
  }

  private body(): Buffer {
    // The connection fails an answer that is not as long as announced. This does not rely on it.
    return this.whole?.subarray(0, this.collectedBytes) ?? exactBuffer(this.chunks);
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
    if (this.request.signal) offAbort(this.request.signal, this.onAbort);
  }
}

/**
 * The chunks as one buffer of about its own size. A chunk may be a slice of a much larger buffer, which it would keep in
 * memory: then it is copied.
 */
function exactBuffer(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  if (chunks.length === 1 && first.length >= first.buffer.byteLength * worthKeeping) return first;
  const whole = Buffer.allocUnsafeSlow(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) offset += chunk.copy(whole, offset);
  return whole;
}
