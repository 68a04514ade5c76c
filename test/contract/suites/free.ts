import { jobGone, type ContractFixture, nobody, noJob, ok, requiredMissing } from '../support/contract-fixture.js';

/** Needs the mounts `/data` and `/local`, and the files that the load suite has cached. */
export function freeContract(fixture: ContractFixture): void {
  describe('/free', () => {
    it('accepts a UFS path without a mount, and `unmounted` for the cached files that remain below one', async () => {
      expect(await fixture.free(['s3://never-mounted/dir'])).toMatchObject({ state: 'SUCCEEDED', freedFiles: 0 });
      const body = { paths: ['/local'], options: { sync: true, unmounted: true } };
      expect((await fixture.api.post('/free', body)).body).toMatchObject({ freedFiles: 0, unmounted: true });
      expect((await fixture.api.post('/free', { paths: ['/nowhere'] })).status).toBe(400);
      expect((await fixture.api.get('/file_index?unmounted=true')).body).toEqual({ results: [] });
    });

    it('returns 200 without recursive and frees a named file deeper in a directory that is named too', async () => {
      fixture.fill('shallow', 1);
      fixture.fill('shallow/deep', 2);
      const [child, kept, named] = ['shallow/f0', 'shallow/deep/f0', 'shallow/deep/f1'];
      await fixture.load(['/local/shallow']);
      const paths = ['/local/shallow', `/local/${child}`, `/local/${named}`];
      expect(await fixture.free(paths, { recursive: false })).toMatchObject({ freedFiles: 2, failedFiles: 0 });
      const cached = await Promise.all(
        [child, named, kept].map((name) => fixture.isCached(`file://${fixture.scratch}/local/${name}`)),
      );
      expect(cached).toEqual([false, false, true]);
    });

    it('returns 200 for the unchanged example of the reference, with its fields in the progress', async () => {
      await fixture.load(['s3://my-bucket/dir/to/path']);
      const request = {
        paths: ['s3://my-bucket/dir/to/path'],
        index: '',
        options: { batchSize: 0, sync: true, recursive: true },
      };
      const { status, body } = await fixture.api.post('/free', request);
      const { fileCount, totalBytes } = fixture.tree;
      expect(status).toBe(200);
      expect(body).toMatchObject({
        ...{ state: 'SUCCEEDED', errorMessage: {}, paths: request.paths },
        ...{ freedBytes: totalBytes, failedBytes: 0, totalBytes },
        ...{ freedFiles: fileCount, failedFiles: 0, totalFiles: fileCount },
      });
      expect((await fixture.api.get(`/free?id=${body.id}`)).body).toEqual(body);
      expect((await fixture.api.get('/free')).body.results).toContainEqual(body);
      expect(await fixture.isCached('s3://my-bucket/dir/to/path/large/0.dat')).toBe(false);
    });

    it('returns 200 without recursive and frees only direct children of a directory, or the named file', async () => {
      const ufs = fixture.fill('nested', 3);
      fixture.fill('nested/deep', 5);
      await fixture.load(['/local/nested']);
      expect(await fixture.free(['/local/nested'], { recursive: false })).toMatchObject({
        freedFiles: 3,
        totalFiles: 3,
      });
      expect(await fixture.isCached(`${ufs}/deep/f0`)).toBe(true);
      const one = await fixture.free(['/local/nested/deep/f0'], { recursive: false });
      expect(one).toMatchObject({ freedFiles: 1, freedBytes: 1000, totalBytes: 1000 });
      expect(await fixture.free(['/local/nested'])).toMatchObject({ freedFiles: 4, freedBytes: 4000 });
    });

    it('returns 200 and frees every replica, counted as one file', async () => {
      fixture.fill('twice', 6);
      await fixture.load(['/local/twice'], { replicas: 2 });
      expect(await fixture.free(['/local/twice'])).toMatchObject({ freedFiles: 6, totalFiles: 6, failedFiles: 0 });
      expect(await fixture.free(['/local/twice'])).toMatchObject({ freedFiles: 0, totalFiles: 0 });
    });

    it('returns 200 for an index file', async () => {
      fixture.fill('listed', 4);
      await fixture.load(['/local/listed']);
      const index = fixture.write('local/free.txt', '/local/listed/f0\n/local/listed/f2\n');
      const { body } = await fixture.api.post('/free', { index: `file://${index}`, options: { sync: true } });
      expect(body).toMatchObject({ state: 'SUCCEEDED', freedFiles: 2, index: `file://${index}`, paths: [] });
    });

    it('returns 409 with the id of a running job, 200 to stop and to resume it, and 410 after its end', async () => {
      fixture.fill('held', 3);
      await fixture.load(['/local/held']);
      const request = { paths: ['/local/held'] };
      const silent = fixture.cluster.workers[1].process;
      silent.pause();
      try {
        const { body } = await fixture.api.post('/free', request);
        const id = body.id;
        expect((await fixture.api.get(`/free?id=${id}`)).body).toMatchObject({ state: 'RUNNING' });
        const running = await fixture.api.post('/free', request);
        expect(running).toMatchObject({ status: 409, body: { id, resumed: false, applied: {}, ignored: {} } });
        expect(await fixture.api.delete('/free', { id })).toMatchObject({ status: 200, body: ok });
        expect((await fixture.api.get(`/free?id=${id}`)).body.state).toBe('STOPPED');
        expect(await fixture.api.post('/free', request)).toMatchObject({ status: 409, body: { id, resumed: true } });
        silent.resume();
        expect(await fixture.jobEnd('free', id)).toMatchObject({ state: 'SUCCEEDED', freedFiles: 3 });
        expect(await fixture.api.delete('/free', { id })).toMatchObject({ status: 410, body: jobGone });
      } finally {
        silent.resume();
      }
    });

    it('returns 404 and 410 when the job is unknown or of another kind', async () => {
      const [load] = (await fixture.api.get('/load')).body.results;
      for (const id of [nobody, load.id, '..', 'x']) {
        expect(await fixture.api.get(`/free?id=${id}`)).toMatchObject({ status: 404, body: noJob });
        expect(await fixture.api.delete('/free', { id })).toMatchObject({ status: 410, body: jobGone });
      }
    });

    it.each([undefined, {}, { paths: [], index: '' }])(
      'returns 400 when required fields are missing: %j',
      async (body) => {
        expect(await fixture.api.post('/free', body)).toMatchObject({ status: 400, body: requiredMissing });
        expect(await fixture.api.delete('/free', body)).toMatchObject({ status: 400, body: requiredMissing });
      },
    );

    it.each<[Record<string, unknown>, RegExp]>([
      [{ paths: ['/data'], index: '/data/x' }, /either paths or index/],
      [{ paths: ['/nowhere'] }, /paths\[0\]/],
      [{ paths: { 0: '/data' } }, /paths/],
      [{ paths: ['/data'], options: { recursive: 'no' } }, /options\.recursive/],
      [{ paths: ['/data'], options: { batchSize: 1e9 } }, /options\.batchSize/],
      [{ paths: ['/data'], options: { sync: 1 } }, /options\.sync/],
    ])('returns 400 naming the field: %j', async (body, reason) => {
      const answer = await fixture.api.post('/free', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it('returns 400 for GET with bad paging parameters', async () => {
      expect((await fixture.api.get('/free?count=0')).status).toBe(400);
    });
  });
}
