import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '#testing';
import { Client, type Request } from './client.js';
import type { History } from './history.js';
import type { Sources, Target } from './sources.js';

export interface TrafficOptions {
  readonly baseUrls: readonly string[];
  readonly sources: Sources;
  readonly history: History;
  readonly clients: number;
  readonly seed: number;
  /** Distinguishes the request ids of one run. */
  readonly run: string;
}

type Kind = 'load' | 'free' | 'rebalance';

/** Options of the loads of a target. They are always the same, so that the checks know the expected result. */
function loadOptions(index: number): Record<string, unknown> {
  switch (index % 5) {
    case 1:
      return { verify: true };
    case 2:
      return { fileFilterRegex: '.*[02468]\\.dat' };
    case 3:
      return { replicas: 2 };
    case 4:
      return { skipIfExists: true };
    default:
      return {};
  }
}

/** Options of the loads below a path. */
export function loadOptionsOf(path: string): Record<string, unknown> {
  if (path.startsWith('/kept/')) return loadOptions(Number(path.at(-1)));
  // All names are listed, and few of the files are fetched.
  if (path.startsWith('/wide/')) return { fileFilterRegex: '.*[05]0\\.dat' };
  return {};
}

/** Longest pause between two calls of one client. */
const pauseMs = 120;
/** Additional pause after a call without an answer: most of those calls end at once. */
const pauseAfterLossMs = 100;

/** Several clients that send random requests like users, until they are told to stop. */
export class Traffic {
  private readonly abort = new AbortController();
  /** Job ids from all answers, newest last. */
  private readonly jobs: Record<Kind, string[]> = { load: [], free: [], rebalance: [] };
  /** The highest sequence from all answers. Requests about the past must not name a sequence ahead of the log. */
  private newest = 1;
  private readonly running: Promise<void>[];

  constructor(private readonly options: TrafficOptions) {
    const { clients, baseUrls, history, seed, run } = options;
    this.running = Array.from({ length: clients }, (_, i) =>
      this.drive(new Client(i, baseUrls, history, run), new Random(seed * 31 + i)),
    );
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.all(this.running);
  }

  private async drive(client: Client, random: Random): Promise<void> {
    const at = random.below(3);
    for (let turn = at; !this.abort.signal.aborted; turn++) {
      const request = random.weighted(this.choices(random)).request();
      const answer = await client.send(request, turn);
      this.newest = Math.max(this.newest, answer?.sequence ?? 0);
      const id = (answer?.body as { id?: unknown } | undefined)?.id;
      const kind = request.path.slice(1);
      if (request.method === 'POST' && typeof id === 'string' && kind in this.jobs) this.remember(kind as Kind, id);
      const pause = random.below(pauseMs) + (answer === undefined ? pauseAfterLossMs : 0);
      await delay(pause, undefined, { signal: this.abort.signal }).catch(() => undefined);
    }
  }

  private remember(kind: Kind, id: string): void {
    if (!this.jobs[kind].includes(id)) this.jobs[kind].push(id);
  }

  private choices(random: Random): { weight: number; request: () => Request }[] {
    const { kept, freed } = this.options.sources;
    const any = (): Target => random.pick([...kept, ...freed]);
    const kind = (): Kind => random.pick(['load', 'load', 'free', 'rebalance'] as const);
    const known = (of: Kind): string | undefined => random.pick(this.jobs[of].slice(-8));
    const post = (path: string, body: Record<string, unknown>): Request => ({ method: 'POST', path, body });
    return [
      { weight: 6, request: () => this.load(any()) },
      { weight: 2, request: () => post('/free', { paths: [random.pick(freed).path] }) },
      { weight: 1, request: () => post('/rebalance', { target: 'ALL' }) },
      { weight: 1, request: () => this.stop1(known('load')) },
      { weight: 8, request: () => byId(kind(), known) },
      { weight: 2, request: () => ({ method: 'GET', path: `/${kind()}` }) },
      { weight: 5, request: () => this.changeMount(random) },
      { weight: 6, request: () => ({ method: 'GET', path: '/mount' }) },
      { weight: 5, request: () => this.changePolicy(random) },
      { weight: 6, request: () => ({ method: 'GET', path: random.pick(['/ttl', '/priority', '/quota']) }) },
      { weight: 2, request: () => ({ method: 'GET', path: '/nodes' }) },
      { weight: 2, request: () => this.past(random) },
      { weight: 2, request: () => ({ method: 'GET', path: `/events?after=${this.moment(random)}&count=20` }) },
    ];
  }

  private moment(random: Random): number {
    return 1 + random.below(this.newest);
  }

  private past(random: Random): Request {
    const route = random.pick(['/mount', '/ttl', '/priority', '/quota'] as const);
    return { method: 'GET', path: `${route}?asOf=${this.moment(random)}` };
  }

  private load({ path }: Target): Request {
    return { method: 'POST', path: '/load', body: { paths: [path], options: loadOptionsOf(path) } };
  }

  private stop1(id: string | undefined): Request {
    if (id === undefined) return { method: 'GET', path: '/load' };
    return { method: 'DELETE', path: '/load', body: { id } };
  }

  /** Nested paths and nested roots: most combinations conflict. */
  private changeMount(random: Random): Request {
    const path = random.pick(['/churn/a', '/churn/a/b', '/churn/c', '/churn/d']);
    if (random.chance(0.5)) return { method: 'DELETE', path: '/mount', body: { path } };
    return { method: 'POST', path: '/mount', body: { path, ufs: random.pick(this.options.sources.churnRoots) } };
  }

  private changePolicy(random: Random): Request {
    const route = random.pick(['ttl', 'priority', 'quota'] as const);
    const path = random.pick(['/policies/x', '/policies/y', '/policies/x/z']);
    if (random.chance(0.3)) return { method: 'DELETE', path: `/${route}`, body: { path } };
    const value = {
      ttl: { ttlSeconds: 3600 + random.below(1000) },
      priority: { priority: random.pick(['HIGH', 'MEDIUM', 'LOW']) },
      quota: { quotaBytes: 1_000_000 + random.below(1000) },
    };
    return { method: 'POST', path: `/${route}`, body: { path, ...value[route] } };
  }
}

function byId(kind: Kind, known: (kind: Kind) => string | undefined): Request {
  const id = known(kind);
  return { method: 'GET', path: id === undefined ? `/${kind}` : `/${kind}?id=${id}` };
}
