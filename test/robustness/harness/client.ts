import { request } from 'undici';
import type { Answer, Call, History } from './history.js';

/** Longer than any answer may take. A call without an answer by then is a finding. */
export const answerLimitMs = 15_000;
const clientTimeoutMs = answerLimitMs + 3_000;

export type Request = Pick<Call, 'method' | 'path' | 'body'>;

/**
 * A client of the API behind a balancer. Each call goes to the next coordinator that accepts connections. No call carries
 * information about earlier ones.
 */
export class Client {
  private calls = 0;

  constructor(
    private readonly number: number,
    private readonly baseUrls: readonly string[],
    private readonly history: History,
    private readonly run: string,
  ) {}

  async send({ method, path, body }: Request, at = this.number + this.calls): Promise<Answer | undefined> {
    const id = `${this.run}-${this.number}-${++this.calls}`;
    let coordinator = at % this.baseUrls.length;
    let startMs = performance.now();
    let told = await this.ask(`${this.baseUrls[coordinator]}/api/v1${path}`, id, { method, path, body });
    for (let other = 1; other < this.baseUrls.length && isRefused(told); other++) {
      coordinator = (at + other) % this.baseUrls.length;
      startMs = performance.now();
      told = await this.ask(`${this.baseUrls[coordinator]}/api/v1${path}`, id, { method, path, body });
    }
    const endMs = performance.now();
    this.history.add({ client: this.number, coordinator, id, startMs, endMs, method, path, body, ...told });
    return told.answer;
  }

  private async ask(url: string, id: string, { method, body }: Request): Promise<Pick<Call, 'answer' | 'lost'>> {
    try {
      const response = await request(url, {
        method,
        reset: true,
        signal: AbortSignal.timeout(clientTimeoutMs),
        headers: { 'x-request-id': id, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.body.text();
      const sequence = response.headers['x-larder-sequence'];
      const isJson = String(response.headers['content-type']).includes('application/json');
      const answer = {
        status: response.statusCode,
        sequence: sequence === undefined ? undefined : Number(sequence),
        stale: response.headers['x-larder-stale'] !== undefined,
        body: isJson ? (JSON.parse(text) as unknown) : text,
      };
      return { answer };
    } catch (error) {
      const { name, message } = error as Error;
      return { lost: name === 'TimeoutError' ? 'timeout' : message };
    }
  }
}

/** No process listens on the port: the request was not sent. */
const isRefused = ({ lost }: Pick<Call, 'lost'>): boolean => lost?.includes('ECONNREFUSED') === true;
