import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { TestCluster } from '#testing';

const pollMs = 100;
const readinessTimeoutMs = 1000;

/** The outcome of a request, as a client behind a balancer sees it. */
export interface Answer {
  readonly coordinator: string;
  readonly call: string;
  /** Undefined when the connection broke. */
  readonly status?: number;
  readonly error?: string;
  readonly body?: Record<string, unknown>;
}

/**
 * A round-robin balancer with keep-alive connections, as operators use before coordinators. It polls `/readyz` of each
 * coordinator, and forwards requests to those that last returned 200.
 */
export class Balancer {
  readonly answers: Answer[] = [];
  private readonly agent = new Agent({ connections: 16, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 30_000 });
  private readonly urls: string[];
  private readonly notReady = new Set<string>();
  private readonly watching: Promise<unknown>;
  private turn = 0;
  private stopped = false;

  constructor(cluster: TestCluster) {
    this.urls = cluster.coordinators.map(({ api }) => api.baseUrl);
    this.watching = Promise.all(this.urls.map((url) => this.watch(url)));
  }

  async send(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    const coordinator = this.next();
    const call = `${method} ${path}`;
    const answer = await request(`${coordinator}/api/v1${path}`, {
      method,
      dispatcher: this.agent,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    }).then(
      async ({ statusCode, body }) => {
        const parsed = (await body.json()) as Record<string, unknown>;
        return { coordinator, call, status: statusCode, body: parsed };
      },
      (error: unknown) => ({ coordinator, call, error: String(error) }),
    );
    this.answers.push(answer);
    return answer;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.watching;
    await this.agent.destroy();
  }

  private next(): string {
    const ready = this.urls.filter((url) => !this.notReady.has(url));
    if (ready.length === 0) throw new Error('no coordinator is ready');
    return ready[this.turn++ % ready.length];
  }

  private async watch(url: string): Promise<void> {
    while (!this.stopped) {
      const isReady = await askReadiness(url);
      if (isReady === true) this.notReady.delete(url);
      else if (isReady === false) this.notReady.add(url);
      await delay(pollMs);
    }
  }
}

/** Undefined without an answer in time, which proves nothing on a busy machine. */
async function askReadiness(url: string): Promise<boolean | undefined> {
  const signal = AbortSignal.timeout(readinessTimeoutMs);
  try {
    const { statusCode, body } = await request(`${url}/readyz`, { reset: true, signal });
    await body.dump();
    return statusCode === 200;
  } catch {
    // No process listens on that port.
    return signal.aborted ? undefined : false;
  }
}
