import { jobGone, type ContractFixture, nobody, noJob, ok, requiredMissing } from '../support/contract-fixture.js';

/** The unchanged example of the reference, with its last comma. */
const example = `{
"target": "ALL",
"options": {
"loadBatchSize": 1000,
"loadBandwidth": 10485746000,
"pruneBandwidth": 10485746000,
"skipPrune": false,
}
}`;

/** Needs the mount `/local` and both workers. */
export function rebalanceContract(fixture: ContractFixture): void {
  describe('/rebalance', () => {
    it('returns 200 for the unchanged example of the reference, with its fields in the progress', async () => {
      fixture.fill('balanced', 10);
      await fixture.load(['/local/balanced']);
      const headers = { 'content-type': 'application/json' };
      const { status, body } = await fixture.api.call('POST', '/rebalance', { raw: example, headers });
      expect(status).toBe(200);
      const done = await fixture.jobEnd('rebalance', body.id);
      expect(done).toMatchObject({
        ...{ state: 'SUCCEEDED', target: 'ALL', totalWorkers: 2, succeededWorkers: 2, runningWorkers: 0 },
        ...{ failedWorkers: 0, filesLoaded: 0, bytesLoaded: 0, filesPruned: 0, bytesPruned: 0, filesFailed: 0 },
        ...{ loadBatchSize: 1000, loadBandwidth: 10485746000, pruneBandwidth: 10485746000, skipPrune: false },
      });
      expect(done.filesPreserved).toBeGreaterThanOrEqual(10);
      expect((await fixture.api.get('/rebalance?target=ALL')).body).toEqual(done);
      expect((await fixture.api.get('/rebalance')).body.results).toContainEqual(done);
    });

    it('returns 200 for one worker by its id', async () => {
      const target = fixture.cluster.workers[0].id;
      const { body } = await fixture.api.post('/rebalance', { target, options: { skipPrune: true } });
      const done = await fixture.jobEnd('rebalance', body.id);
      expect(done).toMatchObject({ state: 'SUCCEEDED', target, totalWorkers: 1, succeededWorkers: 1, skipPrune: true });
      expect((await fixture.api.get(`/rebalance?target=${target}`)).body.id).toBe(done.id);
    });

    it('returns 409 with the id of a running job, 200 to stop it by either name and to resume it, and 410 after its end', async () => {
      const silent = fixture.cluster.workers[1];
      silent.process.pause();
      try {
        const request = { target: silent.id };
        const { body } = await fixture.api.post('/rebalance', request);
        const id = body.id;
        const running = await fixture.api.post('/rebalance', { ...request, options: { skipPrune: true } });
        expect(running).toMatchObject({ status: 409, body: { id, resumed: false, ignored: { skipPrune: true } } });
        expect(await fixture.api.delete('/rebalance', request)).toMatchObject({ status: 200, body: ok });
        expect((await fixture.api.get(`/rebalance?id=${id}`)).body.state).toBe('STOPPED');
        expect(await fixture.api.post('/rebalance', request)).toMatchObject({
          status: 409,
          body: { id, resumed: true },
        });
        expect(await fixture.api.delete('/rebalance', { id })).toMatchObject({ status: 200, body: ok });
        expect((await fixture.api.post('/rebalance', request)).body).toMatchObject({ id, resumed: true });
        silent.process.resume();
        expect(await fixture.jobEnd('rebalance', id)).toMatchObject({ state: 'SUCCEEDED' });
        expect(await fixture.api.delete('/rebalance', { id })).toMatchObject({ status: 410, body: jobGone });
        expect(await fixture.api.delete('/rebalance', request)).toMatchObject({ status: 410, body: jobGone });
      } finally {
        silent.process.resume();
      }
    });

    it('returns 404 and 410 when the job does not exist', async () => {
      for (const query of [`id=${nobody}`, 'id=x', 'target=worker-x', 'target=all']) {
        expect(await fixture.api.get(`/rebalance?${query}`)).toMatchObject({ status: 404, body: noJob });
      }
      for (const body of [{ id: nobody }, { id: '..' }, { target: 'worker-x' }, { target: 'ALL' }]) {
        expect(await fixture.api.delete('/rebalance', body)).toMatchObject({ status: 410, body: jobGone });
      }
    });

    it.each([undefined, {}, { target: '' }, { target: null }, { options: { skipPrune: true } }])(
      'returns 400 when required fields are missing: %j',
      async (body) => {
        expect(await fixture.api.post('/rebalance', body)).toMatchObject({ status: 400, body: requiredMissing });
        expect(await fixture.api.delete('/rebalance', body)).toMatchObject({ status: 400, body: requiredMissing });
      },
    );

    it.each<[Record<string, unknown>, RegExp]>([
      [{ target: 'worker-x' }, /target/],
      [{ target: 'all' }, /target/],
      [{ target: 5 }, /target/],
      [{ target: ['ALL'] }, /target/],
      [{ target: 'ALL', options: 'x' }, /options/],
      [{ target: 'ALL', options: { loadBatchSize: -1 } }, /options\.loadBatchSize/],
      [{ target: 'ALL', options: { loadBandwidth: 1e308 } }, /options\.loadBandwidth/],
      [{ target: 'ALL', options: { pruneBandwidth: 'x' } }, /options\.pruneBandwidth/],
      [{ target: 'ALL', options: { skipPrune: 'x' } }, /options\.skipPrune/],
    ])('returns 400 naming the field: %j', async (body, reason) => {
      const answer = await fixture.api.post('/rebalance', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it('returns 400 for GET with bad paging parameters and for DELETE with a wrong type', async () => {
      expect((await fixture.api.get('/rebalance?count=x')).status).toBe(400);
      expect((await fixture.api.delete('/rebalance', { id: 5 })).body.status).toMatch(/id/);
    });
  });
}
