import { jobGone, type ContractFixture, nobody, noJob, ok, requiredMissing } from '../support/contract-fixture.js';

const ufsPath = 's3://my-bucket/dir/to/path';

/** Needs the mounts `/data` and `/local`. */
export function loadContract(fixture: ContractFixture): void {
  describe('/load', () => {
    it('returns 200 for the unchanged example of the reference, with its fields in the progress', async () => {
      const answer = await fixture.api.call('POST', '/load', {
        headers: { 'content-type': 'application/json' },
        raw: `{
          "paths": [
            "s3://my-bucket/dir/to/path"
          ],
          "options": {
            "batchSize": 0,
            "fileFilterRegx": "",
            "replicas": 0,
            "sync": true,
            "skipIfExists": false
          }
        }`,
      });
      expect(answer.status).toBe(200);
      const { fileCount, totalBytes } = fixture.tree;
      expect(answer.body).toMatchObject({
        ...{ state: 'SUCCEEDED', runningState: '', errorMessage: {}, failedFileListPath: '' },
        ...{ paths: [ufsPath], index: '', skipIfExists: false, loadMetadataOnly: false, verify: false, bandwidth: 0 },
        ...{ loadedBytes: totalBytes, skippedBytes: 0, totalBytes, loadedNonEmptyFiles: fileCount - 1, failedFiles: 0 },
        ...{ scannedFiles: fileCount, quota: { totalBytes: 0, remaining: 0 }, quotaCheckError: '' },
      });
      expect((await fixture.api.get(`/load?id=${answer.body.id}`)).body).toEqual(answer.body);
      expect((await fixture.api.get('/load')).body.results).toContainEqual(answer.body);
    });

    it('returns 200 with a new job for the target of a finished one, which alias and index find at once', async () => {
      const index = fixture.write(
        'local/list.txt',
        `${ufsPath}/small/00/000000.dat\r\n\n${ufsPath}/small/01/000001.dat`,
      );
      const answer = await fixture.api.post('/load', { index: `file://${index}`, alias: 'by-index' });
      const { id } = answer.body;
      expect((await fixture.api.get(`/load?id=${id}`)).status).toBe(200);
      expect((await fixture.api.get('/load?alias=by-index')).body.id).toBe(id);
      expect((await fixture.api.get(`/load?index=${encodeURIComponent(`file://${index}`)}`)).body.id).toBe(id);
      expect(await fixture.jobEnd('load', id)).toMatchObject({
        state: 'SUCCEEDED',
        scannedFiles: 2,
        alias: 'by-index',
      });
      const again = await fixture.api.post('/load', { index: '/local/list.txt', options: { sync: true } });
      expect(again.body.id).not.toBe(id);
    });

    it('returns 200 with a list in pages by count and lastKey', async () => {
      const all = (await fixture.api.get('/load')).body.results;
      const first = (await fixture.api.get('/load?count=2')).body;
      expect(first).toMatchObject({ results: [{ id: all[0].id }, { id: all[1].id }], lastKey: all[1].id });
      const rest = (await fixture.api.get(`/load?count=1000&lastKey=${first.lastKey}`)).body;
      expect([...first.results, ...rest.results].map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    });

    it('returns 200 with the jobs in one state, in pages like the whole list', async () => {
      await fixture.jobEnd('load', (await fixture.api.post('/load', { paths: ['/local/never-there'] })).body.id);
      const all = (await fixture.api.get('/load')).body.results;
      for (const state of ['RUNNING', 'VERIFYING', 'STOPPED', 'SUCCEEDED', 'FAILED']) {
        const { body } = await fixture.api.get(`/load?state=${state}`);
        expect(body.results.map(({ id }) => id)).toEqual(all.filter((job) => job.state === state).map(({ id }) => id));
        expect((await fixture.api.get(`/load?state=${state.toLowerCase()}`)).body).toEqual(body);
      }
      const succeeded = (await fixture.api.get('/load?state=SUCCEEDED')).body.results;
      expect(succeeded.length).toBeGreaterThan(2);
      const first = (await fixture.api.get('/load?state=SUCCEEDED&count=1')).body;
      const rest = (await fixture.api.get(`/load?state=SUCCEEDED&lastKey=${first.lastKey}`)).body;
      expect([...first.results, ...rest.results]).toEqual(succeeded);
      for (const kind of ['free', 'rebalance']) {
        expect((await fixture.api.get(`/${kind}?state=FAILED`)).status).toBe(200);
        expect((await fixture.api.get(`/${kind}?state=DONE`)).status).toBe(400);
      }
    });

    it.each([
      ['file://', '/local/partly'],
      ['s3://', '/data/dir/to/path'],
    ])(
      'returns 200 and names each missing path of %s as a failure, also below a requested directory',
      async (_scheme, directory) => {
        fixture.fill('partly', 2);
        const absent = ['missing.csv', 'none/deeper/x', 'f0/'].map((name) => `${directory}/${name}`);
        const asked = [directory, ...absent, absent[0], `${directory}/`, `${directory}-beside`];
        const { body } = await fixture.api.post('/load', { paths: asked, options: { sync: true, verify: true } });
        const failures = (await fixture.api.get(`/load/${body.id}/failed_files`)).body as unknown as { path: string }[];
        const ends = failures.map(({ path }) => path.slice(path.indexOf(directory.split('/').at(-1)!)));
        const last = directory.split('/').at(-1);
        expect(ends.sort()).toEqual([`${last}-beside`, `${last}/f0/`, `${last}/missing.csv`, `${last}/none/deeper/x`]);
        const files = directory.startsWith('/local') ? 2 : fixture.tree.fileCount;
        expect(body).toMatchObject({ state: 'FAILED', failedFiles: 4, loadedFiles: files, scannedFiles: files + 4 });
        expect(body.errorMessage).toMatchObject({
          message: expect.stringContaining('4 of') as string,
          failures: expect.arrayContaining([
            expect.objectContaining({ reason: expect.stringMatching(/^nothing exists at .*missing\.csv$/) as string }),
          ]) as unknown[],
        });
      },
    );

    it('returns 409 with the id of a running job, 200 to stop and to resume it, and 410 after its end', async () => {
      fixture.fill('slow', 2, 300_000);
      const request = { paths: ['/local/slow'], options: { bandwidth: 1000 } };
      const { body } = await fixture.api.post('/load', request);
      const id = body.id;
      const running = await fixture.api.post('/load', { ...request, options: { bandwidth: 1000, replicas: 2 } });
      expect(running).toMatchObject({
        status: 409,
        body: { id, resumed: false, applied: {}, ignored: { replicas: 2 } },
      });
      expect(await fixture.api.delete('/load', { id })).toMatchObject({ status: 200, body: ok });
      expect((await fixture.api.get(`/load?id=${id}`)).body).toMatchObject({ state: 'STOPPED', runningState: '' });
      const resumed = await fixture.api.post('/load', { ...request, options: { bandwidth: 0 } });
      expect(resumed).toMatchObject({ status: 409, body: { id, resumed: true, applied: { bandwidth: 0 } } });
      expect(await fixture.jobEnd('load', id)).toMatchObject({
        state: 'SUCCEEDED',
        loadedFiles: 2,
        loadedBytes: 600_000,
      });
      expect(await fixture.api.delete('/load', { id })).toMatchObject({ status: 410, body: jobGone });
    });

    it('fault 22: makes one job from identical concurrent POSTs', async () => {
      fixture.fill('crowd', 1, 50_000);
      const request = { paths: ['/local/crowd'], options: { bandwidth: 100 } };
      const answers = await Promise.all(Array.from({ length: 20 }, () => fixture.api.post('/load', request)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
      const ids = new Set(answers.map(({ body }) => body.id));
      expect(ids.size).toBe(1);
      await fixture.api.delete('/load', { id: [...ids][0] });
    });

    it.each([
      ['a path without an object', { paths: ['/local/nothing'] }, 'FAILED', /nothing exists at/],
      [
        'a filter without a match',
        { paths: [ufsPath], options: { fileFilterRegex: 'no such.*' } },
        'SUCCEEDED',
        /nothing was loaded/,
      ],
    ])('returns 200 and reports %s', async (_name, request, state, reason) => {
      const { body } = await fixture.api.post('/load', request);
      const done = await fixture.jobEnd('load', body.id);
      expect(done.state).toBe(state);
      expect(JSON.stringify(done.errorMessage)).toMatch(reason);
    });

    it('failed_files returns 200 with every failure, and 404 when the job does not exist', async () => {
      const index = fixture.write('local/gone.txt', '/local/gone-1\n/local/gone-2\n');
      const { body } = await fixture.api.post('/load', { index: `file://${index}`, options: { sync: true } });
      expect(body).toMatchObject({ state: 'FAILED', failedFiles: 2 });
      expect(body.failedFileListPath).toBe(`/api/v1/load/${body.id}/failed_files`);
      const failures = await fixture.api.get(String(body.failedFileListPath).slice('/api/v1'.length));
      expect(failures.status).toBe(200);
      expect(failures.body).toHaveLength(2);
      expect(await fixture.api.get(`/load/${nobody}/failed_files`)).toMatchObject({ status: 404, body: noJob });
    });

    it('returns 404 and 410 when the job does not exist', async () => {
      for (const id of [nobody, 'x', '..', '__proto__', '%00', 'a'.repeat(1000)]) {
        expect(await fixture.api.get(`/load?id=${id}`)).toMatchObject({ status: 404, body: noJob });
        expect(await fixture.api.delete('/load', { id: decodeURIComponent(id) })).toMatchObject({
          status: 410,
          body: jobGone,
        });
      }
      expect(await fixture.api.get('/load?alias=nobody')).toMatchObject({ status: 404, body: noJob });
    });

    it.each([undefined, {}, { paths: [] }, { index: '' }, { paths: [], index: '' }, { options: { sync: true } }])(
      'returns 400 when required fields are missing: %j',
      async (body) => {
        expect(await fixture.api.post('/load', body)).toMatchObject({ status: 400, body: requiredMissing });
      },
    );

    it.each([undefined, {}, { id: '' }, { id: null }])('400: DELETE of %j', async (body) => {
      expect(await fixture.api.delete('/load', body)).toMatchObject({ status: 400, body: requiredMissing });
    });

    it.each<[Record<string, unknown>, RegExp]>([
      [{ paths: ['/data'], index: '/data/x' }, /either paths or index/],
      [{ paths: '/data' }, /^paths must be a list of strings$/],
      [{ paths: ['/data', 5] }, /^paths\[1\] must be a string$/],
      [{ paths: ['/nowhere/x'] }, /paths\[0\]/],
      [{ paths: ['/data', 's3://other-bucket/x'] }, /paths\[1\]/],
      [{ paths: ['/data/../etc'] }, /paths\[0\]/],
      [{ paths: ['http://my-bucket/x'] }, /paths\[0\]/],
      [{ paths: ['/data/a\u0000b'] }, /paths\[0\]/],
      [{ index: '/data/' }, /index/],
      [{ paths: ['/data'], alias: 'a'.repeat(129) }, /alias/],
      [{ paths: ['/data'], options: [] }, /options/],
      [{ paths: ['/data'], options: { batchSize: -1 } }, /options\.batchSize/],
      [{ paths: ['/data'], options: { batchSize: '5' } }, /options\.batchSize/],
      [{ paths: ['/data'], options: { replicas: 17 } }, /options\.replicas/],
      [{ paths: ['/data'], options: { replicas: 0.5 } }, /options\.replicas/],
      [{ paths: ['/data'], options: { bandwidth: '10MB' } }, /^options\.bandwidth must be a whole number of bytes per/],
      [{ paths: ['/data'], options: { bandwidth: 1e308 } }, /options\.bandwidth/],
      [{ paths: ['/data'], options: { sync: 'yes' } }, /options\.sync/],
      [{ paths: ['/data'], options: { skipIfExists: 1 } }, /options\.skipIfExists/],
      [{ paths: ['/data'], options: { verify: {} } }, /options\.verify/],
      [{ paths: ['/data'], options: { loadMetadataOnly: [] } }, /options\.loadMetadataOnly/],
      [{ paths: ['/data'], options: { fileFilterRegex: '(' } }, /options\.fileFilterRegex/],
      [{ paths: ['/data'], options: { fileFilterRegx: '(?<=a)b' } }, /options\.fileFilterReg/],
      [{ paths: ['/data'], options: { fileFilterRegex: 5 } }, /options\.fileFilterRegex/],
    ])('returns 400 naming the field: %j', async (body, reason) => {
      const answer = await fixture.api.post('/load', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it.each([
      'state=DONE',
      'state=FAILED,STOPPED',
      'count=0',
      'count=-1',
      'count=x',
      'count=1e9',
      'count=1.5',
      `lastKey=${nobody}`,
      'index=nowhere',
    ])('400: GET with %s', async (query) => {
      const answer = await fixture.api.get(`/load?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toContain(query.split('=')[0]);
    });
  });
}
