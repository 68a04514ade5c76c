import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, eventually, FileTree, type TestCluster } from '#testing';

const canary = 'xCanaryz7Q4w9Larder';

interface Recorded {
  readonly path: string;
  readonly sequence: number;
  readonly time: string;
  readonly body: Record<string, unknown>;
}

const env = { LARDER_BATCH_SIZE: '10', LARDER_SNAPSHOT_EVERY: '20', LARDER_FINISHED_JOBS: '1' };

clusterSuite('asOf', { env }, ({ cluster, test }) => {
  const scratch = mkdtempSync(join(tmpdir(), 'larder-as-of-'));
  const recorded: Recorded[] = [];
  let load: string;
  let stopped: string;

  const get = (path: string, asOf?: string | number) => {
    const query = asOf === undefined ? '' : `${path.includes('?') ? '&' : '?'}asOf=${encodeURIComponent(asOf)}`;
    return cluster.api.request<Record<string, unknown>>('GET', `${path}${query}`);
  };

  const command = async (method: 'POST' | 'DELETE', path: string, body: unknown) => {
    const answer = await cluster.api.request<{ id: string }>(method, path, { body });
    expect(answer.status).toBe(200);
    return answer.body;
  };

  /** Records the answers of these routes, all at one sequence while no job runs. */
  async function record(...paths: string[]): Promise<void> {
    const bodies = await eventually('the log is quiet', async () => {
      const answers = await Promise.all(paths.map((path) => get(path)));
      const sequences = new Set(answers.map(({ headers }) => String(headers['x-larder-sequence'])));
      return sequences.size === 1 && answers;
    });
    const time = new Date().toISOString();
    for (const [i, { headers, body, status }] of bodies.entries()) {
      expect(status).toBe(200);
      recorded.push({ path: paths[i], sequence: Number(headers['x-larder-sequence']), time, body });
    }
    // The next events must have a later time.
    await eventually('the clock moves on', () => new Date().toISOString() > time);
  }

  /** The answer without the fields that depend on heartbeats or on the current time. */
  function lasting(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(lasting);
    if (typeof value !== 'object' || value === null) return value;
    const live = [
      'usedBytes',
      'cachedObjects',
      'unmountedBytes',
      'unmountedObjects',
      'remaining',
      'inFlightLoadedBytes',
    ];
    const entries = Object.entries(value).filter(([name]) => !live.includes(name));
    const isQuota = Object.hasOwn(value, 'quotaBytes');
    return Object.fromEntries(
      entries.filter(([name]) => !(isQuota && name === 'state')).map(([name, one]) => [name, lasting(one)]),
    );
  }

  beforeAll(async () => {
    FileTree.create(join(scratch, 'data'), { seed: 9, smallFiles: 60, largeFiles: [] });
    FileTree.create(join(scratch, 'slow'), { seed: 10, smallFiles: 5, largeFiles: [3 * 1024 * 1024] });
    await record('/mount', '/nodes', '/ttl', '/load');
    const options = { 's3a.secretKey': canary, 's3a.accessKeyId': 'somebody', endpoint: 'http://127.0.0.1:1' };
    await command('POST', '/mount', { path: '/s3', ufs: 's3://bucket', options });
    await command('POST', '/mount', { path: '/data', ufs: `file://${scratch}/data` });
    await command('POST', '/mount', { path: '/slow', ufs: `file://${scratch}/slow` });
    await record('/mount', '/mount?path=/data');
    await command('POST', '/ttl', { path: '/data/a', ttlSeconds: 60 });
    await command('POST', '/quota', { path: '/data', quotaBytes: 50_000_000 });
    await command('POST', '/priority', { path: '/data/a', priority: 'LOW' });
    await record('/ttl', '/quota', '/priority', '/ttl?path=/data/a', '/quota?path=/data');
    await command('POST', '/ttl', { path: '/data/a', ttlSeconds: 61 });
    ({ id: load } = await command('POST', '/load', { paths: ['/data'], alias: 'first', options: { sync: true } }));
    await record('/load', `/load?id=${load}`, '/load?alias=first', '/ttl', '/rebalance');
    ({ id: stopped } = await command('POST', '/load', { paths: ['/slow'], options: { bandwidth: 1000 } }));
    await eventually('the job runs', async () => (await get(`/load?id=${stopped}`)).body.listingComplete === true);
    const running = await get(`/load?id=${stopped}`);
    recorded.push({
      path: `/load?id=${stopped}`,
      sequence: Number(running.headers['x-larder-sequence']),
      time: '',
      body: running.body,
    });
    await command('DELETE', '/load', { id: stopped });
    await record(`/load?id=${stopped}`, '/load');
    const { id: free } = await command('POST', '/free', { paths: ['/data'], options: { sync: true } });
    const { id: rebalance } = await command('POST', '/rebalance', { target: 'ALL' });
    await eventually(
      'the rebalance has ended',
      async () => (await get(`/rebalance?id=${rebalance}`)).body.state === 'SUCCEEDED',
    );
    await record('/free', `/free?id=${free}`, '/rebalance', '/rebalance?target=ALL');
    await command('DELETE', '/mount', { path: '/data' });
    await cluster.api.request('DELETE', `/nodes?id=${cluster.workers[0].id}`);
    // This load is no longer in memory by now: the coordinator answers from the log.
    await record('/mount', '/nodes', '/ttl', '/quota', '/priority', `/load?id=${load}`);
  }, 120_000);

  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function expectAsRecorded(api: TestCluster['api'] = cluster.api): Promise<void> {
    for (const { path, sequence, time, body } of recorded) {
      for (const asOf of [sequence, ...(time === '' ? [] : [time])]) {
        const answer = await api.request('GET', `${path}${path.includes('?') ? '&' : '?'}asOf=${asOf}`);
        const call = `${path} as of ${asOf}`;
        expect({ call, status: answer.status, sequence: answer.headers['x-larder-as-of'] }).toEqual({
          call,
          status: 200,
          sequence: String(sequence),
        });
        const elapsed = { timeElapsedMilliseconds: answer.body.timeElapsedMilliseconds };
        const then = body.state === 'RUNNING' ? { ...body, ...elapsed } : body;
        expect({ call, body: lasting(answer.body) }).toEqual({ call, body: lasting(then) });
      }
    }
  }

  test('every route repeats its recorded answer for each recorded sequence and time', async () => {
    await expectAsRecorded();
    expect(recorded.length).toBeGreaterThan(20);
  });

  test('a restarted coordinator gives the same answers, also to many requests at once', async () => {
    await cluster.coordinators[0].process.restart();
    await Promise.all([expectAsRecorded(), expectAsRecorded(), expectAsRecorded()]);
  });

  test('a request about the past changes nothing', async () => {
    const routes = ['/mount', '/ttl', '/quota', '/load', '/free', '/rebalance'];
    const present = async () => Promise.all(routes.map(async (path) => (await get(path)).body));
    const before = await present();
    const { sequence, path, body } = recorded[4];
    for (let i = 0; i < 5; i++) {
      expect((await get(path, sequence)).body).toEqual(body);
      expect(await present()).toEqual(before);
    }
  });

  test('an object that did not exist yet is not found, even if it exists now', async () => {
    const [first] = recorded;
    expect((await get('/mount?path=/data', first.sequence)).status).toBe(404);
    expect((await get(`/load?id=${load}`, first.sequence)).status).toBe(404);
    expect((await get(`/load/${load}/failed_files`, first.sequence)).status).toBe(404);
    expect((await get('/load', first.sequence)).body).toEqual({ results: [] });
  });

  test('the elapsed time of a running job is measured up to the requested time', async () => {
    const running = recorded.find(({ body }) => body.state === 'RUNNING')!;
    const { body } = await get(running.path, running.sequence);
    expect(body.state).toBe('RUNNING');
    expect(Number(body.timeElapsedMilliseconds)).toBeLessThanOrEqual(Number(running.body.timeElapsedMilliseconds));
    const later = await get(running.path, running.sequence);
    expect(later.body.timeElapsedMilliseconds).toBe(body.timeElapsedMilliseconds);
  });

  test('an answer about the past shows no values from heartbeats', async () => {
    const { sequence } = recorded.find(({ path }) => path === '/quota?path=/data')!;
    expect((await get('/quota?path=/data', sequence)).body).toEqual({
      path: '/data',
      quotaBytes: 50_000_000,
      reservedBytes: 0,
    });
    const { result } = (await get('/nodes', sequence)).body as { result: object[] };
    for (const node of result) expect(Object.keys(node)).not.toContain('usedBytes');
  });

  test('secrets stay masked', async () => {
    for (const { sequence } of recorded) {
      const text = JSON.stringify((await get('/mount', sequence)).body);
      expect(text).not.toContain(canary);
      expect(text).not.toContain('ciphertext');
    }
    expect(cluster.coordinators[0].process.log()).not.toContain(canary);
  });

  it.each([
    ['x', /^asOf must be/],
    ['', /^asOf must not be empty/],
    ['0', /^asOf lies before the log's first event/],
    ['2001-01-01', /^asOf lies before the log's first event/],
    ['999999999', /^asOf lies behind the log's end/],
    ['2199-01-01T00:00:00Z', /^asOf lies in the future/],
    ['2026-01-01T00:00:00', /^asOf must be/],
    ['1&asOf=2', /once only/],
  ])('returns 400 for asOf=%s', async (asOf, sentence) => {
    for (const path of ['/mount', '/nodes', '/quota', '/ttl', '/priority', '/load', '/free', '/rebalance']) {
      const { status, body } = await cluster.api.request('GET', `${path}?asOf=${asOf}`);
      expect({ path, status }).toEqual({ path, status: 400 });
      expect(body.status).toMatch(sentence);
    }
  });

  test('returns 400 for other methods than GET, and 501 for routes without a history', async () => {
    const write = await cluster.api.request('POST', '/ttl?asOf=1', { body: { path: '/slow', ttlSeconds: 5 } });
    expect(write).toMatchObject({ status: 400, body: { status: expect.stringMatching(/^asOf/) as string } });
    expect(await get('/file_index', 1)).toMatchObject({
      status: 501,
      body: { status: expect.stringMatching(/^asOf/) as string },
    });
  });
});
