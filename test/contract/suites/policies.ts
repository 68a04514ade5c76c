import { eventually } from '#testing';
import { type ContractFixture, ok, requiredMissing } from '../support/contract-fixture.js';

const path = '/data/dir/to/path';

interface PolicyCase {
  route: string;
  /** The reference's example of POST. */
  example: Record<string, unknown>;
  /** The answer of GET after it. */
  shown: Record<string, unknown>;
  changed: Record<string, unknown>;
  missing: string;
  /** The message while the policy is switched off. Absent if it cannot be. */
  off?: string;
  /** Malformed bodies, each with the field that the answer must name. */
  malformed: [Record<string, unknown>, string][];
}

const cases: readonly PolicyCase[] = [
  {
    route: 'quota',
    example: { path, quotaBytes: 10737418240 },
    shown: { path, state: 'Available', quotaBytes: 10737418240, usedBytes: 0, reservedBytes: 0 },
    changed: { path, quotaBytes: 1 },
    missing: 'No quota item found for path: ',
    off: 'Quota not enabled',
    malformed: [
      [{ path, quotaBytes: -1 }, 'quotaBytes'],
      [{ path, quotaBytes: '10' }, 'quotaBytes'],
      [{ path, quotaBytes: 1.5 }, 'quotaBytes'],
      [{ path, quotaBytes: 1e308 }, 'quotaBytes'],
      [{ path: 'data', quotaBytes: 1 }, 'path'],
    ],
  },
  {
    route: 'ttl',
    example: { path, ttlSeconds: 600 },
    shown: { path, ttlSeconds: 600 },
    changed: { path, ttlSeconds: 86400 },
    missing: 'No TTL policy found for path: ',
    off: 'TTL not enabled',
    malformed: [
      [{ path, ttlSeconds: 0 }, 'ttlSeconds'],
      [{ path, ttlSeconds: -600 }, 'ttlSeconds'],
      [{ path, ttlSeconds: '600' }, 'ttlSeconds'],
      [{ path, ttlSeconds: 2 ** 60 }, 'ttlSeconds'],
      [{ path: '/data/../x', ttlSeconds: 1 }, 'path'],
    ],
  },
  {
    route: 'priority',
    example: { path, priority: 'high' },
    shown: { path, priority: 'high' },
    changed: { path, priority: 'MEDIUM' },
    missing: 'No priority rule found for path: ',
    off: 'Priority eviction not enabled',
    malformed: [
      [{ path, priority: 'urgent' }, 'priority'],
      [{ path, priority: 3 }, 'priority'],
      [{ path, priority: ['high'] }, 'priority'],
      [{ path: 'data', priority: 'high' }, 'path'],
    ],
  },
];

/** Needs the mount `/data`, and leaves no policy behind. */
export function policyContract(fixture: ContractFixture): void {
  describe.each(cases)('/$route', ({ route, example, shown, changed, missing, off, malformed }) => {
    it('returns 200 for the unchanged example of the reference, which GET shows at once', async () => {
      expect((await fixture.api.get(`/${route}`)).body).toEqual({ results: [] });
      expect(await fixture.api.post(`/${route}`, example)).toMatchObject({ status: 200, body: ok });
      expect((await fixture.api.get(`/${route}?path=${path}`)).body).toEqual(shown);
      expect((await fixture.api.get(`/${route}?path=${encodeURIComponent(`/${path}/`)}`)).body).toEqual(shown);
      expect((await fixture.api.get(`/${route}`)).body).toEqual({ results: [shown] });
    });

    it('returns 200 for a second POST, which updates the policy, and for a repeated one, which changes nothing', async () => {
      for (let i = 0; i < 2; i++) expect((await fixture.api.post(`/${route}`, changed)).body).toEqual(ok);
      const { body } = await fixture.api.get(`/${route}?path=${path}`);
      expect(body).toMatchObject(route === 'priority' ? { priority: 'medium' } : changed);
      expect((await fixture.api.get(`/${route}`)).body.results).toHaveLength(1);
    });

    it('returns 404 when the path has no policy, even if a directory above has one', async () => {
      for (const other of [`${path}/below`, '/data', '/nowhere']) {
        expect(await fixture.api.get(`/${route}?path=${other}`)).toMatchObject({
          status: 404,
          body: { status: `${missing}${other}` },
        });
      }
    });

    it('returns 200 for the unchanged DELETE example of the reference, then 400 and 404', async () => {
      expect(await fixture.api.delete(`/${route}`, { path })).toMatchObject({ status: 200, body: ok });
      const gone = { status: `${missing}${path}` };
      expect(await fixture.api.delete(`/${route}`, { path })).toMatchObject({ status: 400, body: gone });
      expect(await fixture.api.get(`/${route}?path=${path}`)).toMatchObject({ status: 404, body: gone });
      expect((await fixture.api.get(`/${route}`)).body).toEqual({ results: [] });
    });

    it('returns 400 when required fields are missing', async () => {
      const [field] = Object.keys(example).filter((name) => name !== 'path');
      for (const body of [undefined, {}, { path }, { [field]: example[field] }, { ...example, [field]: null }]) {
        expect(await fixture.api.post(`/${route}`, body)).toMatchObject({ status: 400, body: requiredMissing });
      }
      for (const body of [undefined, {}, { path: '' }]) {
        expect(await fixture.api.delete(`/${route}`, body)).toMatchObject({ status: 400, body: requiredMissing });
      }
    });

    it('returns 400 when no mount covers the path', async () => {
      expect(await fixture.api.post(`/${route}`, { ...example, path: '/nowhere/dir' })).toMatchObject({
        status: 400,
        body: { status: 'No mounted UFS found' },
      });
    });

    it.each(malformed)('returns 400 naming the field: %j', async (body, field) => {
      const answer = await fixture.api.post(`/${route}`, body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toContain(field);
      expect((await fixture.api.get(`/${route}`)).body).toEqual({ results: [] });
    });

    it('returns 400 for GET of an invalid path', async () => {
      const answer = await fixture.api.get(`/${route}?path=relative`);
      expect(answer).toMatchObject({ status: 400, body: { status: expect.stringContaining('path') as string } });
    });

    it('removes the policy with its mount', async () => {
      await fixture.mount('/passing', 's3://passing-bucket');
      await fixture.api.post(`/${route}`, { ...example, path: '/passing/x' });
      await fixture.api.delete('/mount', { path: '/passing' });
      expect((await fixture.api.get(`/${route}`)).body).toEqual({ results: [] });
    });

    if (off === undefined) return;
    it('returns 501 when the policy is switched off, before other errors of the request', async () => {
      for (const answer of [
        await fixture.offApi.get(`/${route}`),
        await fixture.offApi.get(`/${route}?path=${path}`),
        await fixture.offApi.post(`/${route}`, example),
        await fixture.offApi.post(`/${route}`, {}),
        await fixture.offApi.delete(`/${route}`, { path }),
      ]) {
        expect(answer).toMatchObject({ status: 501, body: { status: off } });
      }
    });
  });

  it('/priority accepts values in any case and shows them in lower case', async () => {
    for (const priority of ['HIGH', 'Medium', 'low', 'hIgH']) {
      expect((await fixture.api.post('/priority', { path, priority })).status).toBe(200);
      expect((await fixture.api.get(`/priority?path=${path}`)).body).toEqual({
        path,
        priority: priority.toLowerCase(),
      });
    }
    await fixture.api.delete('/priority', { path });
  });

  it('/quota shows the right usedBytes within two seconds of a load and of a free, and reservedBytes returns to 0', async () => {
    fixture.fill('counted/below', 20, 1000);
    const quota = async () => (await fixture.api.get('/quota?path=/local/counted')).body;
    const untilUsed = (usedBytes: number) =>
      eventually(`usedBytes is ${usedBytes}`, async () => (await quota()).usedBytes === usedBytes, { timeoutMs: 2000 });
    await fixture.api.post('/quota', { path: '/local/counted', quotaBytes: 50_000 });
    await fixture.load(['/local/counted']);
    await untilUsed(20_000);
    expect(await quota()).toMatchObject({ state: 'Available', usedBytes: 20_000, reservedBytes: 0 });
    await fixture.api.post('/quota', { path: '/local/counted', quotaBytes: 19_999 });
    // The workers evict the bytes beyond the quota without a request.
    await eventually('a file was evicted', async () => (await quota()).usedBytes === 19_000);
    expect(await quota()).toMatchObject({ state: 'Available', usedBytes: 19_000, reservedBytes: 0 });
    const { results } = (await fixture.api.get('/file_index')).body as unknown as { results: string[] };
    const left = results.filter((one) => one.includes('/counted/below/'));
    expect(left).toHaveLength(19);
    await fixture.free(left.slice(0, 2));
    await untilUsed(17_000);
    expect(await quota()).toMatchObject({ state: 'Available', usedBytes: 17_000, reservedBytes: 0 });
    await fixture.free(['/local/counted']);
    await untilUsed(0);
    await fixture.api.delete('/quota', { path: '/local/counted' });
  });

  it('/quota makes a load beyond it fail with the reason before any byte is read', async () => {
    fixture.fill('narrow', 10, 1000);
    await fixture.api.post('/quota', { path: '/local/narrow', quotaBytes: 5000 });
    const answer = await fixture.api.post('/load', { paths: ['/local/narrow'], options: { sync: true } });
    expect(answer).toMatchObject({ status: 200, body: { state: 'FAILED', quota: { totalBytes: 5000 } } });
    expect(answer.body.quotaCheckError).toMatch(/\/local\/narrow/);
    expect(answer.body.loadedBytes).toBeLessThanOrEqual(5000);
    await fixture.api.delete('/quota', { path: '/local/narrow' });
  });

  it('/ttl makes loaded files expire within a few seconds of their time', async () => {
    const ufs = fixture.fill('fleeting', 3);
    await fixture.api.post('/ttl', { path: '/local/fleeting', ttlSeconds: 1 });
    await fixture.load(['/local/fleeting']);
    await eventually('the file has expired', async () => !(await fixture.isCached(`${ufs}/f1`)), { timeoutMs: 10_000 });
    await fixture.api.delete('/ttl', { path: '/local/fleeting' });
  });
}
