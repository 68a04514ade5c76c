import { jobGone, type ContractFixture, nobody, noJob, ok, requiredMissing } from '../support/contract-fixture.js';

/** Needs the mounts `/data` and `/local`, and what the load suite has cached. */
export function freeContract(fixture: ContractFixture): void {
  describe('/free', () => {
    it('takes a UFS path that no mount covers, and `unmounted` for what is left below one', async () => {
      expect(await fixture.free(['s3://never-mounted/dir'])).toMatchObject({ state: 'SUCCEEDED', freedFiles: 0 });
      const body = { paths: ['/local'], options: { sync: true, unmounted: true } };
      expect((await fixture.api.post('/free', body)).body).toMatchObject({ freedFiles: 0, unmounted: true });
      expect((await fixture.api.post('/free', { paths: ['/nowhere'] })).status).toBe(400);
      expect((await fixture.api.get('/file_index?unmounted=true')).body).toEqual({ results: [] });
    });

    it('200: not recursive, a path below a directory’s children is freed though the directory was named too', async () => {
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

    it('200: the reference’s example as it stands; its progress shows the fields of the reference', async () => {
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

    it('200: without recursive only a directory’s direct children, or the named file', async () => {
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

    it('200: every replica goes, and counts as one file', async () => {
      fixture.fill('twice', 6);
      await fixture.load(['/local/twice'], { replicas: 2 });
      expect(await fixture.free(['/local/twice'])).toMatchObject({ freedFiles: 6, totalFiles: 6, failedFiles: 0 });
      expect(await fixture.free(['/local/twice'])).toMatchObject({ freedFiles: 0, totalFiles: 0 });
    });

    it('200: by an index file', async () => {
      fixture.fill('listed', 4);
      await fixture.load(['/local/listed']);
      const index = fixture.write('local/free.txt', '/local/listed/f0\n/local/listed/f2\n');
      const { body } = await fixture.api.post('/free', { index: `file://${index}`, options: { sync: true } });
      expect(body).toMatchObject({ state: 'SUCCEEDED', freedFiles: 2, index: `file://${index}`, paths: [] });
    });

    it('409, 200, 410: a running job answers with its id, is stopped, resumed, and ends', async () => {
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

    it('404 and 410: nobody knows the job, or it is one of another kind', async () => {
      const [load] = (await fixture.api.get('/load')).body.results;
      for (const id of [nobody, load.id, '..', 'x']) {
        expect(await fixture.api.get(`/free?id=${id}`)).toMatchObject({ status: 404, body: noJob });
        expect(await fixture.api.delete('/free', { id })).toMatchObject({ status: 410, body: jobGone });
      }
    });

    it.each([undefined, {}, { paths: [], index: '' }])('400: required fields are missing in %j', async (body) => {
      expect(await fixture.api.post('/free', body)).toMatchObject({ status: 400, body: requiredMissing });
      expect(await fixture.api.delete('/free', body)).toMatchObject({ status: 400, body: requiredMissing });
    });

    it.each<[Record<string, unknown>, RegExp]>([
      [{ paths: ['/data'], index: '/data/x' }, /either paths or index/],
      [{ paths: ['/nowhere'] }, /paths\[0\]/],
      [{ paths: { 0: '/data' } }, /paths/],
      [{ paths: ['/data'], options: { recursive: 'no' } }, /options\.recursive/],
      [{ paths: ['/data'], options: { batchSize: 1e9 } }, /options\.batchSize/],
      [{ paths: ['/data'], options: { sync: 1 } }, /options\.sync/],
    ])('400: %j is refused by the name of its field', async (body, reason) => {
      const answer = await fixture.api.post('/free', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it('400: GET with a bad page', async () => {
      expect((await fixture.api.get('/free?count=0')).status).toBe(400);
    });
  });
}
