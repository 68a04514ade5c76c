import { Agent, request } from 'undici';
import type { TestCluster } from '#testing';

const pollMs = 100;
const readinessTimeoutMs = 1000;

/** What a client behind a balancer has seen. */
export interface Answer {
  readonly coordinator: string;
  readonly call: string;
  /** Undefined when the connection broke. */
  readonly status?: number;
  readonly error?: string;
  readonly body?: Record<string, unknown>;
}

/**
 * A round-robin balancer with keep-alive connections, as people put before coordinators: it asks each one's `/readyz`
 * now and then, and passes requests on to those that last said 200.
 */
export class Balancer {
  readonly answers: Answer[] = [];
  private readonly agent = new Agent({ connections: 16, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 30_000 });
  private ready: string[] = [];
  private turn = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly cluster: TestCluster) {
    this.ready = cluster.coordinators.map(({ api }) => api.baseUrl);
    this.timer = setInterval(() => void this.look(), pollMs);
  }

  async send(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    const coordinator = this.ready[this.turn++ % this.ready.length];
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
    clearInterval(this.timer);
    await this.agent.destroy();
  }

  private async look(): Promise<void> {
    const urls = this.cluster.coordinators.map(({ api }) => api.baseUrl);
    const states = await Promise.all(urls.map((url) => isReady(url)));
    this.ready = urls.filter((_, i) => states[i]);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(readinessTimeoutMs);
    const { statusCode, body } = await request(`${url}/readyz`, { reset: true, signal });
    await body.dump();
    return statusCode === 200;
  } catch {
    // Not there, or silent: nothing is sent to it.
    return false;
  }
}
