import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '#testing';
import { Client, type Request } from './client.js';
import { loadOptionsOf, type TrafficOptions } from './traffic.js';

/** Longest pause between two calls: each load moves much more than one of the other clients does. */
const pauseMs = 800;

/**
 * One more client, who loads what is large or has many names, looks how far that is, and stops it mid-way. It has random
 * numbers of its own, so the other clients do the same with and without it.
 */
export class BulkTraffic {
  private readonly abort = new AbortController();
  private readonly jobs: string[] = [];
  private readonly running: Promise<void>;

  constructor(private readonly options: TrafficOptions) {
    const { clients, baseUrls, history, seed, run } = options;
    this.running = this.drive(new Client(clients, baseUrls, history, run), new Random(seed * 31 + clients));
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    this.abort.abort();
    await this.running;
  }

  private async drive(client: Client, random: Random): Promise<void> {
    for (let turn = 0; !this.abort.signal.aborted; turn++) {
      const request = this.next(random);
      const answer = await client.send(request, turn);
      const id = (answer?.body as { id?: unknown } | undefined)?.id;
      if (request.method === 'POST' && typeof id === 'string' && !this.jobs.includes(id)) this.jobs.push(id);
      await delay(random.below(pauseMs), undefined, { signal: this.abort.signal }).catch(() => undefined);
    }
  }

  private next(random: Random): Request {
    const { large, wide } = this.options.sources;
    const load = (path: string): Request => ({
      method: 'POST',
      path: '/load',
      body: { paths: [path], options: loadOptionsOf(path) },
    });
    const id = random.pick(this.jobs.slice(-3));
    const stop = { method: 'DELETE', path: '/load', body: { id } } as const;
    const choices: { weight: number; request: Request }[] = [
      { weight: 4, request: load(random.pick(large).path) },
      { weight: 2, request: load(random.pick(wide).path) },
      ...(id === undefined
        ? []
        : [
            { weight: 6, request: { method: 'GET', path: `/load?id=${id}` } as const },
            { weight: 1, request: stop },
          ]),
    ];
    return random.weighted(choices).request;
  }
}
