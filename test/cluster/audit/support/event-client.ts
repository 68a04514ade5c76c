import { request, type Dispatcher } from 'undici';
import { type ApiClient, eventually } from '#testing';

/** An event as `/api/v1/events` answers it. */
export interface AuditEvent {
  readonly sequence: number;
  readonly index: number;
  readonly id: string;
  readonly type: string;
  readonly kind: string;
  readonly at: string;
  readonly recordedAt: string;
  readonly actor: string;
  readonly source?: string;
  readonly requestId: string;
  readonly boundary: string;
  readonly data: Record<string, unknown>;
}

export interface EventPage {
  readonly results: AuditEvent[];
  readonly lastKey: string;
  readonly scannedThrough: number;
  readonly complete: boolean;
}

/** A URL's query with every value escaped. */
export const queryOf = (query: Record<string, string | number>): string =>
  new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])).toString();

export async function page(api: ApiClient, query: Record<string, string | number> = {}): Promise<EventPage> {
  const { status, body } = await api.request<EventPage>('GET', `/events?${queryOf(query)}`);
  if (status !== 200) throw new Error(`${status} for ${JSON.stringify(query)}: ${JSON.stringify(body)}`);
  return body;
}

/** Reads all pages to the end. */
export async function everything(api: ApiClient, query: Record<string, string | number> = {}): Promise<AuditEvent[]> {
  const found: AuditEvent[] = [];
  for (let after: Record<string, string> = {}; ;) {
    const { results, lastKey, complete } = await page(api, { ...query, ...after });
    found.push(...results);
    if (complete) return found;
    after = { after: lastKey };
  }
}

/** Reads all matching events as JSON Lines. */
export async function jsonLines(api: ApiClient, query: Record<string, string | number> = {}): Promise<AuditEvent[]> {
  const { status, body } = await api.request<string>('GET', `/events?${queryOf({ ...query, format: 'jsonl' })}`);
  if (status !== 200) throw new Error(`${status} for ${JSON.stringify(query)}: ${JSON.stringify(body)}`);
  const lines = body.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as AuditEvent);
}

/** A client of `/api/v1/events/stream`. It reads until it is closed or its connection breaks. */
export class StreamClient {
  readonly events: AuditEvent[] = [];
  readonly heartbeats: string[] = [];
  lastEventId = '';
  /** Resolves when the connection ends. It never rejects. */
  readonly over: Promise<void>;
  text = '';

  private constructor(
    private readonly body: Dispatcher.ResponseData['body'],
    readonly headers: Dispatcher.ResponseData['headers'],
  ) {
    this.over = this.read().catch(() => undefined);
  }

  static async open(
    api: ApiClient,
    query: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<StreamClient> {
    const answer = await request(`${api.baseUrl}/api/v1/events/stream?${queryOf(query)}`, {
      reset: true,
      headers,
      bodyTimeout: 0,
    });
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${await answer.body.text()}`);
    const client = new StreamClient(answer.body, answer.headers);
    await eventually('the stream is open', () => client.lastEventId !== '');
    return client;
  }

  close(): void {
    this.body.destroy();
  }

  /** Waits until this many events have arrived. */
  async until(what: string, condition: () => boolean): Promise<void> {
    await eventually(what, condition);
  }

  private async read(): Promise<void> {
    let rest = '';
    for await (const chunk of this.body) {
      const text = Buffer.from(chunk as Uint8Array).toString();
      this.text += text;
      const messages = (rest + text).split('\n\n');
      rest = messages.pop()!;
      for (const message of messages) this.take(message);
    }
  }

  private take(message: string): void {
    for (const line of message.split('\n')) {
      const [, field, value] = /^([a-z]*): ?(.*)$/.exec(line) as unknown as [string, string, string];
      if (field === 'id') this.lastEventId = value;
      if (field === 'data') this.events.push(JSON.parse(value) as AuditEvent);
      if (field === '') this.heartbeats.push(value);
    }
  }
}
