import assert from 'node:assert/strict';
import { Pool } from 'undici';
import { type Document, type Method, type Operation } from '#contexts/api-docs';
import { violations } from './schema-check.js';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent unchanged, with no other Content-Type than that of `headers`. */
  raw?: string | Buffer;
  headers?: Record<string, string>;
  /** Reads only this much of a body that does not end. */
  until?: string;
}

/** The fields that tests use. The schema has proven that a documented field exists. */
export interface Body extends Record<string, unknown> {
  status: string;
  id: string;
  state: string;
  errorMessage: { message?: string; failures?: unknown[] };
  results: (Record<string, unknown> & { id: string })[];
  result: Record<string, unknown>[];
  errors: Record<string, string>;
  lastKey?: string;
}

export interface Answer<Shape = Body> {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  /** The parsed value for JSON, a list of objects for JSON Lines, otherwise the text. */
  readonly body: Shape;
}

const requestTimeoutMs = 60_000;
const maxSegment = 256;

/** The REST API of one coordinator. It checks each answer against the document that the coordinator itself serves. */
export class Contract {
  /** The documented answers that were given so far, such as `GET /api/v1/load 200`. */
  readonly seen = new Set<string>();

  private constructor(
    private readonly pool: Pool,
    readonly document: Document,
  ) {}

  /** @param baseUrl such as `http://127.0.0.1:19999` */
  static async with(baseUrl: string): Promise<Contract> {
    const pool = new Pool(baseUrl, {
      connections: 16,
      headersTimeout: requestTimeoutMs,
      bodyTimeout: requestTimeoutMs,
    });
    const answer = await pool.request({ method: 'GET', path: '/api/v1/openapi.json' });
    assert.equal(answer.statusCode, 200);
    return new Contract(pool, (await answer.body.json()) as Document);
  }

  /**
   * Makes a call below `/api/v1`, or anywhere for a path that starts with `//`.
   * @throws AssertionError when the answer is not documented
   */
  async call<Shape = Body>(
    method: HttpMethod,
    path: string,
    { body, raw, headers = {}, until }: CallOptions = {},
  ): Promise<Answer<Shape>> {
    const target = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`;
    const sent = body === undefined ? raw : JSON.stringify(body);
    const answer = await this.pool.request({
      method,
      path: target,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: sent ?? null,
    });
    const text = until === undefined ? await answer.body.text() : await readUntil(answer.body, until);
    const type = String(answer.headers['content-type'] ?? '').split(';', 1)[0];
    const found = { status: answer.statusCode, headers: answer.headers, body: parsed(type, text) as Shape };
    this.check(method, target, found, type, text);
    return found;
  }

  get = (path: string, headers?: Record<string, string>): Promise<Answer> => this.call('GET', path, { headers });
  post = (path: string, body?: unknown): Promise<Answer> => this.call('POST', path, { body });
  put = (path: string, body?: unknown): Promise<Answer> => this.call('PUT', path, { body });
  delete = (path: string, body?: unknown): Promise<Answer> => this.call('DELETE', path, { body });

  /** Every documented answer as `GET /api/v1/load 200`. */
  documented(): string[] {
    return this.operations().flatMap(({ method, path, operation }) =>
      Object.keys(operation.responses).map((status) => `${method.toUpperCase()} ${path} ${status}`),
    );
  }

  operations(): { method: Method; path: string; operation: Operation }[] {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ method: method as Method, path, operation })),
    );
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }

  private check(
    method: string,
    target: string,
    { status, headers }: Answer<unknown>,
    type: string,
    text: string,
  ): void {
    const call = `${method} ${target.slice(0, 200)} → ${status} ${text.slice(0, 500)}`;
    assert.ok(status < 500 || status === 501 || status === 503, call);
    const entry = this.find(method, target.split('?', 1)[0]);
    if (method === 'HEAD') return assert.equal(text, '', call);
    if (!entry) {
      assert.ok(status >= 400, `an answer of success that is not documented: ${call}`);
      const found = violations(this.document.components.schemas.Status, parsed(type, text));
      return assert.deepEqual(found, [], call);
    }
    const response = entry.operation.responses[String(status)];
    assert.ok(response, `undocumented status: ${call}`);
    const schema = response.content?.[type]?.schema;
    assert.ok(schema, `undocumented content type ${type}: ${call}`);
    const { schemas } = this.document.components;
    const values = type === 'application/x-ndjson' ? (parsed(type, text) as unknown[]) : [parsed(type, text)];
    const found = values.flatMap((value) => violations(schema, value, schemas));
    const sent = type === 'text/event-stream' ? eventsIn(text) : [];
    assert.deepEqual([...found, ...sent.flatMap((event) => violations(schemas.Event, event, schemas))], [], call);
    assert.match(String(headers['x-larder-sequence']), /^\d+$/, `${call}: X-Larder-Sequence`);
    this.seen.add(`${method} ${entry.path} ${status}`);
  }

  private find(method: string, path: string) {
    // The server refuses these before it chooses a route.
    if (!isDecodable(path) || path.split('/').some((segment) => segment.length > maxSegment)) return undefined;
    return this.operations().find(
      (entry) =>
        entry.method.toUpperCase() === method &&
        new RegExp(`^${entry.path.replaceAll('.', '\\.').replace(/\{[^}]+\}/g, '[^/]+')}/?$`).test(path),
    );
  }
}

async function readUntil(body: AsyncIterable<unknown>, end: string): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.includes(end)) break;
  }
  return text;
}

/** The data of the events of a stream that arrived completely. */
function eventsIn(stream: string): unknown[] {
  return [...stream.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data) as unknown);
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    // The path cannot be decoded.
    return false;
  }
}

function parsed(type: string, text: string): unknown {
  // The answer to a HEAD.
  if (text === '' && type !== 'application/x-ndjson') return '';
  if (type === 'application/json') return JSON.parse(text) as unknown;
  if (type !== 'application/x-ndjson') return text;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
