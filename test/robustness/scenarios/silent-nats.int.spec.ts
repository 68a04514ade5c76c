import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { type ApiClient, clusterSuite, eventually, type Gate, keys, type ProxyMode } from '#testing';
import { answerLimitMs } from '../harness/client.js';

const silent: ProxyMode = { kind: 'blackhole' };
const passing: ProxyMode = { kind: 'pass' };
/** Delay of messages: the time for the test to act after it has seen one. */
const late: ProxyMode = { kind: 'latency', latencyMs: 50 };
const documented = [200, 400, 404, 409, 410, 503];

type Request = readonly [method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown];
type Answered = { call: string; ms: number; status: number | string };

/**
 * A running coordinator answers within 15 s, whatever happens to NATS. Answers took 15.6 to 18 s: each part of a request
 * had its own time limit (reading, deciding again, writing, waiting for the write). When NATS came back between two parts
 * and fell silent again, the limits added up.
 */
clusterSuite(
  'a coordinator whose NATS is silent',
  { coordinators: 2, workers: 1, proxies: true },
  ({ cluster, s3 }) => {
    const toNats = () => cluster.coordinators[0].toNats[0];
    let api: ApiClient;
    let jobId: string;
    let gate: Gate;
    let wave = 0;

    beforeAll(async () => {
      await s3.bucket(cluster, 'still', keys(3), 100);
      gate = s3.hold('still', 0);
      api = cluster.api;
      jobId = await api.load({ paths: ['/still'] });
    });

    afterAll(() => gate?.open());
    afterEach(() => toNats().setMode(passing));

    /** One request of each kind, all different from those of other calls. */
    function requests(): Request[] {
      const n = ++wave;
      const paths = [`/still/f/${n}`];
      const none = '00000000-0000-4000-8000-000000000000';
      const writes: Request[] = [
        ['POST', '/mount', { path: `/silent-${n}`, ufs: `file:///silent-${n}` }],
        ['DELETE', '/mount', { path: `/never-${n}` }],
        ['POST', '/load', { paths }],
        ['POST', '/load', { paths: ['/still'], options: { bandwidth: n } }],
        ['POST', '/load', { paths: [`/never-${n}/a`] }],
        ['POST', '/free', { paths }],
        ['POST', '/rebalance', { target: 'ALL' }],
        ['DELETE', '/load', { id: jobId }],
        ['DELETE', '/load', { id: none }],
        ['POST', '/ttl', { path: '/still', ttlSeconds: n }],
        ['POST', '/priority', { path: '/still', priority: 'HIGH' }],
        ['POST', '/quota', { path: '/still', quotaBytes: 1_000_000 + n }],
        ['DELETE', '/ttl', { path: `/never-${n}` }],
        ['DELETE', `/nodes?id=${none}`],
      ];
      const reads = [
        ...['/mount', '/mount?path=/never', '/load', `/load?id=${jobId}`, `/load?id=${none}`, '/free', '/rebalance'],
        ...['/nodes', '/ttl', '/priority', '/quota', '/events?count=5', '/events?jobKind=load', `/events?id=${none}`],
        ...['/mount?asOf=1', `/load?asOf=${new Date().toISOString()}`, `/nodes?asOf=${2 + (n % 5)}`],
        ...[`/load/${jobId}/failed_files`, '/file_index'],
      ];
      return [...writes, ...reads.map((path): Request => ['GET', path])];
    }

    function send([method, path, body]: Request, headers: Record<string, string> = {}): Promise<Answered> {
      const startMs = performance.now();
      const answered = api.request(method, path, { body, headers, timeoutMs: 2 * answerLimitMs }).then(
        ({ status }) => status,
        (error: unknown) => String(error),
      );
      const call = `${method} ${path} ${JSON.stringify(body ?? '')} ${JSON.stringify(headers)}`;
      return answered.then((status) => ({ call, status, ms: Math.round(performance.now() - startMs) }));
    }

    const sendAll = (headers?: Record<string, string>): Promise<Answered[]> =>
      Promise.all(requests().map((one) => send(one, headers)));

    /** The sequence of a write through the other coordinator, which this one does not receive. */
    async function writeElsewhere(): Promise<number> {
      const body = { path: '/elsewhere', ufs: 'file:///elsewhere' };
      const { headers } = await cluster.coordinators[1].api.request('POST', '/mount', { body });
      return Number(headers['x-larder-sequence']);
    }

    async function applied(): Promise<number> {
      const answer = await request(`${api.baseUrl}/healthz`, { reset: true });
      await answer.body.dump();
      return Number(answer.headers['x-larder-sequence']);
    }

    function expectAnswered(answers: Answered[]): void {
      expect(answers.filter(({ ms }) => ms > answerLimitMs)).toEqual([]);
      expect(answers.filter(({ status }) => !documented.includes(status as number))).toEqual([]);
    }

    test(
      'answers everything in time, whenever the silence begins',
      () =>
        cluster.watch(async () => {
          const waves = [sendAll()];
          toNats().setMode(silent);
          // First as long as it takes to notice the dead connection, then without a connection.
          for (const afterMs of [0, 2_000, 4_000]) {
            await delay(afterMs);
            waves.push(sendAll());
          }
          expectAnswered((await Promise.all(waves)).flat());
        }),
      60_000,
    );

    test(
      'answers everything in time when NATS is back only for as long as the first part of a request takes',
      () =>
        cluster.watch(async () => {
          await eventually('it is ready', () => api.isReady());
          toNats().setMode(silent);
          const sequence = await writeElsewhere();
          const waves = [sendAll({ 'x-larder-sequence': String(sequence) }), sendAll()];
          // Nearly the time limit of that part.
          await delay(7_500);
          toNats().setMode(late);
          await eventually('the coordinator has read the write', async () => (await applied()) >= sequence, {
            everyMs: 5,
          });
          toNats().setMode(silent);
          expectAnswered((await Promise.all(waves)).flat());
        }),
      60_000,
    );
  },
);
