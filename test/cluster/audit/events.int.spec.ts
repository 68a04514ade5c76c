import { connectNats, EventCodec, EventStore, Names } from '#jetstream';
import { allEvents } from '#contexts/catalogue';
import { type Commit } from '#kernel';
import { clusterSuite, FileTree } from '#testing';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { everything, jsonLines, page, StreamClient, type AuditEvent } from './support/event-client.js';

const canary = 'xCanaryz7Q4w9Larder';

const env = { LARDER_BATCH_SIZE: '10', LARDER_TRUSTED_PROXIES: '127.0.0.1' };

clusterSuite('the events of the log', { env }, ({ cluster }) => {
  const scratch = mkdtempSync(join(tmpdir(), 'larder-audit-'));
  let commits: Commit[];
  let load: string;
  let free: string;
  const roots = { ufs: `file://${scratch}/data`, other: `file://${scratch}/data0` };

  /** The log itself, read without the coordinator. */
  async function readLog(): Promise<Commit[]> {
    const link = await connectNats({ url: cluster.nats.url, name: 'test', log: () => undefined });
    const store = new EventStore(link, new Names(), new EventCodec([allEvents]));
    const all: Commit[] = [];
    for await (const commit of store.readBoundary('>')) all.push(commit);
    await link.close();
    return all;
  }

  const command = (method: 'POST' | 'DELETE', path: string, body: unknown, headers: Record<string, string> = {}) =>
    cluster.api.request<{ id: string }>(method, path, { body, headers }).then((answer) => {
      expect(answer.status).toBe(200);
      return answer.body;
    });

  beforeAll(async () => {
    FileTree.create(join(scratch, 'data'), { seed: 5, smallFiles: 60, largeFiles: [] });
    const options = { 's3a.secretKey': canary, 's3a.accessKeyId': 'somebody', endpoint: 'http://127.0.0.1:1' };
    await command('POST', '/mount', { path: '/s3', ufs: 's3://bucket-of-secrets', options });
    await command('POST', '/mount', { path: '/data', ufs: roots.ufs }, { 'x-larder-actor': 'alice' });
    for (let i = 0; i < 5; i++) await command('POST', '/ttl', { path: `/data/d${i}`, ttlSeconds: 60 + i });
    await command(
      'POST',
      '/quota',
      { path: '/data/d1', quotaBytes: 1_000_000 },
      { 'x-larder-actor': 'bob', 'x-request-id': 'r-42', 'x-forwarded-for': '203.0.113.9' },
    );
    ({ id: load } = await command('POST', '/load', { paths: ['/data'], options: { sync: true } }));
    ({ id: free } = await command('POST', '/free', { paths: ['/data'], options: { sync: true } }));
    // One commit of many events.
    await command('DELETE', '/mount', { path: '/data' });
    commits = await readLog();
  }, 120_000);

  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const ids = (events: readonly { id: string }[]) => events.map(({ id }) => id);
  const inLog = (wanted: (commit: Commit, event: Commit['events'][number]) => boolean) =>
    commits.flatMap((commit) => commit.events.filter((event) => wanted(commit, event)).map(({ id }) => id));

  it.each([1, 2, 3, 7, 1000])(
    'pages of %i events add up to the whole log, in order, with each event once',
    async (count) => {
      const events = await everything(cluster.api, { count });
      expect(ids(events)).toEqual(inLog(() => true));
      expect(events.map(({ sequence, index }) => [sequence, index])).toEqual(
        commits.flatMap(({ sequence, events: own }) => own.map((_event, index) => [sequence, index])),
      );
    },
  );

  it('a page holds at most the requested number, splits a commit if necessary, and returns its position', async () => {
    const many = commits.find(({ events }) => events.length > 5)!;
    const first = await page(cluster.api, { from: many.sequence, count: 3 });
    expect(first).toMatchObject({ lastKey: `${many.sequence}.2`, scannedThrough: many.sequence, complete: false });
    const rest = await page(cluster.api, { after: first.lastKey, to: many.sequence });
    expect(ids([...first.results, ...rest.results])).toEqual(ids(many.events));
    expect(rest).toMatchObject({ lastKey: String(many.sequence), complete: true });
    const none = await page(cluster.api, { after: String(commits.at(-1)!.sequence) });
    expect(none).toEqual({
      results: [],
      lastKey: String(commits.at(-1)!.sequence),
      scannedThrough: commits.at(-1)!.sequence,
      complete: true,
    });
  });

  it('JSON Lines return the same events in one answer', async () => {
    expect(await jsonLines(cluster.api)).toEqual(await everything(cluster.api));
    const { headers, body } = await cluster.api.request<string>('GET', '/events?count=2', {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(headers['content-type']).toContain('application/x-ndjson');
    expect(body.split('\n')).toHaveLength(3);
  });

  it('shows the actor, the address and the request of each event', async () => {
    const [quota] = await everything(cluster.api, { type: 'QuotaSet' });
    expect(quota).toMatchObject({ actor: 'bob', requestId: 'r-42', source: '203.0.113.9', kind: 'namespace' });
    expect(quota.data).toEqual({ path: '/data/d1', quotaBytes: 1_000_000 });
    expect(Math.abs(Date.parse(quota.recordedAt) - Date.parse(quota.at))).toBeLessThan(60_000);
    const commands = (await everything(cluster.api)).filter(({ actor }) => !/^(coordinator|worker):/.test(actor));
    expect(commands.length).toBeGreaterThan(10);
    for (const { actor, source, requestId } of commands) {
      expect([typeof actor, typeof source, typeof requestId]).toEqual(['string', 'string', 'string']);
    }
  });

  it.each([
    ['kind=namespace', { kind: 'namespace' }, (boundary: string) => boundary === 'namespace'],
    ['kind=batch', { kind: 'batch' }, (boundary: string) => boundary.startsWith('batch.')],
    ['kind=job', { kind: 'job' }, (boundary: string) => boundary.startsWith('job.')],
    ['kind=membership', { kind: 'membership' }, (boundary: string) => boundary === 'membership'],
    ['kind=log', { kind: 'log' }, (boundary: string) => boundary === 'log'],
  ])('%s', async (_name, query, isOf) => {
    const found = await everything(cluster.api, { ...query, count: 2 });
    expect(found.length).toBeGreaterThan(0);
    expect(ids(found)).toEqual(inLog(({ boundary }) => isOf(boundary)));
  });

  const isOfJob = (jobId: string) => (commit: Commit, event: Commit['events'][number]) =>
    commit.boundary.split('.')[1] === jobId || (event.data as { jobId?: string }).jobId === jobId;

  it('filters by the id and by the kind of a job', async () => {
    for (const [kind, id] of [
      ['load', load],
      ['free', free],
    ]) {
      const wanted = inLog(isOfJob(id));
      expect(wanted.length).toBeGreaterThan(4);
      expect(ids(await everything(cluster.api, { id, count: 3 }))).toEqual(wanted);
      expect(ids(await everything(cluster.api, { kind }))).toEqual(wanted);
      expect(ids(await everything(cluster.api, { id, kind: 'batch' }))).toEqual(
        inLog((commit, event) => commit.boundary.startsWith('batch.') && isOfJob(id)(commit, event)),
      );
    }
  });

  it('filters by the id of a worker, an event or a request', async () => {
    const [worker] = cluster.workers;
    const found = await everything(cluster.api, { id: worker.id });
    expect(new Set(found.map(({ type }) => type))).toEqual(new Set(['WorkerJoined', 'BatchesPlanned', 'BatchSettled']));
    const event = found[0].id;
    expect(ids(await everything(cluster.api, { id: event }))).toEqual([event]);
    expect((await everything(cluster.api, { id: 'r-42' })).map(({ type }) => type)).toEqual(['QuotaSet']);
    expect(await everything(cluster.api, { id: 'nobody' })).toEqual([]);
  });

  it('filters by path: at or below it, by whole segments, in the namespace and in the UFS', async () => {
    const types = async (path: string) => (await everything(cluster.api, { path })).map(({ type }) => type);
    expect(await types('/data/d1')).toEqual(['TtlSet', 'QuotaSet', 'TtlRemoved', 'QuotaRemoved'].sort(byLog));
    expect(await types('/data/d')).toEqual([]);
    expect(await types(roots.ufs)).toEqual(
      expect.arrayContaining(['Mounted', 'JobSubmitted', 'JobFinished', 'Unmounted']),
    );
    expect(await types(roots.other)).toEqual([]);
    expect(await types('s3a://bucket-of-secrets/')).toEqual(['Mounted']);
  });

  it('filters by type, by actor, and by all filters together', async () => {
    const policies = await everything(cluster.api, { type: 'TtlSet,QuotaSet', count: 1 });
    expect(policies.map(({ type }) => type)).toEqual([...Array<string>(5).fill('TtlSet'), 'QuotaSet']);
    expect((await everything(cluster.api, { actor: 'alice' })).map(({ type }) => type)).toEqual(['Mounted']);
    const { sequence } = policies[2];
    const query = { type: 'TtlSet,QuotaSet', path: '/data', kind: 'namespace', from: sequence, to: sequence + 1 };
    expect(ids(await everything(cluster.api, query))).toEqual(ids(policies.slice(2, 4)));
  });

  it('filters by the times from and to, inclusive', async () => {
    const all = await everything(cluster.api);
    const at = (event: AuditEvent) => Date.parse(event.recordedAt);
    const [from, to] = [all[4], all.at(-4)!];
    const found = await everything(cluster.api, { from: from.recordedAt, to: to.recordedAt });
    expect(ids(found)).toEqual(ids(all.filter((event) => at(event) >= at(from) && at(event) <= at(to))));
    expect(await everything(cluster.api, { from: '2199-01-01T00:00:00Z' })).toEqual([]);
    expect(await everything(cluster.api, { to: '2001-01-01' })).toEqual([]);
  });

  it.each([
    ['kind=nothing', /^kind must be one of namespace, /],
    ['type=Nothing', /^type must be event types/],
    ['id=%01', /^id must be/],
    ['actor=%20', /^actor must be/],
    ['path=relative', /^path must be/],
    ['path=/a/../b', /^path must not/],
    ['from=x', /^from must be/],
    ['to=2026-01-01T00:00:00', /^to must be/],
    ['after=x', /^after must be/],
    ['after=1.', /^after must be/],
    ['count=0', /^count must be/],
    ['count=1001', /^count must be/],
    ['format=xml', /^format must be/],
    ['kind=job&kind=slot', /once only/],
  ])('400 for %s', async (query, sentence) => {
    const { status, body } = await cluster.api.request('GET', `/events?${query}`);
    expect(status).toBe(400);
    expect(body.status).toMatch(sentence);
  });

  it('shows no secret, in clear or sealed, and no digests', async () => {
    const stream = await StreamClient.open(cluster.api, { from: '1' });
    await stream.until('all events have arrived', () => stream.events.at(-1)?.sequence === commits.at(-1)!.sequence);
    stream.close();
    const asOf = await Promise.all(
      commits.map(({ sequence }) => cluster.api.request('GET', `/mount?asOf=${sequence}`)),
    );
    const logs = cluster.processes.map((process) => process.log());
    const text = JSON.stringify(await everything(cluster.api)) + stream.text + JSON.stringify(asOf) + logs.join('');
    const mounted = commits.flatMap(({ events }) => events).find(({ type }) => type === 'Mounted')!;
    const sealed = (mounted.data as { options: Record<string, Record<string, string>> }).options['s3a.secretKey'];
    for (const secret of [canary, Buffer.from(canary).toString('base64'), sealed.ciphertext, sealed.iv, sealed.tag]) {
      expect(text).not.toContain(secret);
    }
    expect(text.split('"s3a.secretKey":"******"').length).toBeGreaterThan(3);
    expect(text).not.toContain('"digests"');
  });

  it('a scan that finds no event still reaches the end of the log', async () => {
    expect(await everything(cluster.api, { actor: 'nobody', count: 1 })).toEqual([]);
  });

  /** In the order of the log. */
  function byLog(a: string, b: string): number {
    const order = commits.flatMap(({ events }) => events.map(({ type }) => type));
    return order.indexOf(a) - order.indexOf(b);
  }
});
