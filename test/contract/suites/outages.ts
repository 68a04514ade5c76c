import { eventually } from '#testing';
import { type HttpMethod } from '../support/contract.js';
import { type ContractFixture, ok } from '../support/contract-fixture.js';

const notFound = { status: 'worker not found...' };

/** Runs last: it stops workers and NATS. */
export function outageContract(fixture: ContractFixture): void {
  const everyRoute = () =>
    fixture.api.operations().map(({ method, path }) => {
      const target = path.startsWith('/api/v1') ? path.slice('/api/v1'.length).replace('{id}', 'x') : `/${path}`;
      return [method.toUpperCase() as HttpMethod, target] as const;
    });

  it('/nodes and /rebalance: a decommissioned worker leaves at once, its copies move, and they move back when it returns', async () => {
    const ufs = fixture.fill('moving', 40);
    await fixture.load(['/local/moving']);
    const [staying, leaving] = fixture.cluster.workers;
    expect(await fixture.api.delete(`/nodes?id=${leaving.id}`)).toMatchObject({ status: 200, body: ok });
    expect((await fixture.api.get('/nodes')).body.result).toMatchObject([{ identity: staying.id }]);
    expect(await fixture.api.get(`/nodes?id=${leaving.id}`)).toMatchObject({ status: 404, body: notFound });
    expect(await fixture.api.delete(`/nodes?id=${leaving.id}`)).toMatchObject({ status: 404, body: notFound });

    const rebalance = async () => {
      const { status, body } = await fixture.api.post('/rebalance', { target: 'ALL' });
      expect(status).toBe(200);
      return fixture.jobEnd('rebalance', body.id);
    };
    const away = await rebalance();
    expect(away).toMatchObject({ state: 'SUCCEEDED', totalWorkers: 1, succeededWorkers: 1, filesFailed: 0 });
    expect(Number(away.filesLoaded)).toBeGreaterThan(0);
    expect(Number(away.bytesLoaded)).toBeGreaterThanOrEqual(Number(away.filesLoaded));

    await leaving.process.restart();
    await fixture.cluster.untilOnline(2);
    const back = await rebalance();
    expect(back).toMatchObject({ state: 'SUCCEEDED', totalWorkers: 2, succeededWorkers: 2, filesFailed: 0 });
    expect(Number(back.filesPruned)).toBeGreaterThan(0);
    for (let i = 0; i < 40; i++) expect(await fixture.isCached(`${ufs}/f${i}`)).toBe(true);
  });

  it('returns 400 for an invalid sequence on every route', async () => {
    for (const [method, path] of everyRoute()) {
      const answer = await fixture.api.call(method, path, { headers: { 'x-larder-sequence': 'x' } });
      expect({ method, path, ...answer }).toMatchObject({ status: 400 });
      expect(answer.body.status).toMatch(/X-Larder-Sequence/);
    }
  });

  it('returns 503 for a sequence that this coordinator does not reach, on every route', async () => {
    const headers = { 'x-larder-sequence': String(2 ** 40) };
    const answers = await Promise.all(
      everyRoute().map(([method, path]) => fixture.api.call(method, path, { headers })),
    );
    for (const { status, headers: got } of answers) {
      expect(status).toBe(503);
      expect(got['retry-after']).toBe('1');
    }
  });

  it('fault 3: without NATS, writes return 503 and reads show their age; afterwards both work again', async () => {
    await fixture.cluster.nats.kill9();
    await eventually('the coordinator is not ready', async () => (await fixture.api.get('//readyz')).status === 503);
    const mounts = await fixture.api.get('/mount');
    expect(mounts.status).toBe(200);
    expect(mounts.body.results).toHaveLength(2);
    expect(mounts.headers['x-larder-stale']).toMatch(/^\d+$/);
    const write = await fixture.api.post('/ttl', { path: '/local/outage', ttlSeconds: 5 });
    expect(write.status).toBe(503);
    expect(write.headers['retry-after']).toBe('1');
    expect((await fixture.api.get('/mount?path=/perhaps')).status).toBe(503);

    await fixture.cluster.nats.restart();
    await eventually('the coordinator is ready', async () => (await fixture.api.get('//readyz')).status === 200);
    expect((await fixture.api.post('/ttl', { path: '/local/outage', ttlSeconds: 5 })).body).toEqual(ok);
    const read = await fixture.api.get('/ttl?path=/local/outage');
    expect(read.body).toEqual({ path: '/local/outage', ttlSeconds: 5 });
    expect(read.headers['x-larder-stale']).toBeUndefined();
  });
}
