import { type Lab, ok, requiredMissing } from '../support/lab.js';

const example = {
  path: '/data',
  ufs: 's3://my-bucket',
  options: { 's3a.secretKey': 'string', 's3a.accessKeyId': 'string' },
};
const shown = {
  path: '/data/',
  ufs: 's3://my-bucket/',
  options: { 's3a.secretKey': '******', 's3a.accessKeyId': 'string' },
};

/** On an empty mount table, which it leaves empty. */
export function mountContract(lab: Lab): void {
  describe('/mount', () => {
    it('200: the reference’s example as it stands, seen at once, its secrets masked', async () => {
      expect(await lab.api.get('/mount')).toMatchObject({ status: 200, body: { results: [] } });
      expect(await lab.api.post('/mount', example)).toMatchObject({ status: 200, body: ok });
      const { body } = await lab.api.get('/mount');
      expect(body).toEqual({ results: [shown] });
      for (const path of ['/data', '/data/', '//data//', '%2Fdata']) {
        expect((await lab.api.get(`/mount?path=${path}`)).body).toEqual(shown);
      }
    });

    it.each([
      ['the path is already mounted', { path: '/data/', ufs: 's3://other-bucket' }, /already mounted/],
      ['the UFS has been mounted to another path', { path: '/other', ufs: 's3://my-bucket/' }, /already been mounted/],
      ['a mount below another', { path: '/data/below', ufs: 's3://other-bucket' }, /nested mounts/],
      ['a mount above another', { path: '/', ufs: 's3://other-bucket' }, /nested mounts/],
      ['a UFS within a mounted one', { path: '/other', ufs: 's3://my-bucket/below' }, /overlaps/],
      ['the same UFS by its other scheme', { path: '/other', ufs: 's3a://my-bucket' }, /already been mounted/],
    ])('409: %s', async (_name, body, reason) => {
      const answer = await lab.api.post('/mount', body);
      expect(answer.status).toBe(409);
      expect(answer.body.status).toMatch(reason);
    });

    it('200, then 410 and 404: the reference’s example of DELETE as it stands', async () => {
      expect(await lab.api.delete('/mount', { path: '/data' })).toMatchObject({ status: 200, body: ok });
      expect(await lab.api.get('/mount?path=/data')).toMatchObject({
        status: 404,
        body: { status: 'No mount point found for path: /data/' },
      });
      expect((await lab.api.delete('/mount', { path: '/data' })).status).toBe(410);
      expect((await lab.api.get('/mount')).body).toEqual({ results: [] });
    });

    it('options are omitted if empty', async () => {
      await lab.api.post('/mount', { path: '/plain', ufs: `file://${lab.scratch}/local`, options: {} });
      expect((await lab.api.get('/mount?path=/plain')).body).toEqual({
        path: '/plain/',
        ufs: `file://${lab.scratch}/local/`,
      });
      await lab.api.delete('/mount', { path: '/plain' });
    });

    it.each([undefined, {}, { path: '/a' }, { ufs: 's3://bucket' }, { path: '', ufs: 's3://bucket' }, { path: null }])(
      '400: required fields are missing in %j',
      async (body) => {
        expect(await lab.api.post('/mount', body)).toMatchObject({ status: 400, body: requiredMissing });
      },
    );

    it.each([undefined, {}, { path: '' }])('400: DELETE of %j', async (body) => {
      expect(await lab.api.delete('/mount', body)).toMatchObject({ status: 400, body: requiredMissing });
    });

    it.each([
      [{ path: 'data', ufs: 's3://bucket' }, /path must start with/],
      [{ path: '/a/../b', ufs: 's3://bucket' }, /path must not hold/],
      [{ path: '/a', ufs: '/tmp' }, /ufs must be a UFS path/],
      [{ path: '/a', ufs: 'hdfs://host/x' }, /ufs has the scheme 'hdfs'/],
      [{ path: '/a', ufs: 's3://bucket', options: { x: 1 } }, /options/],
      [{ path: '/a', ufs: 's3://bucket', options: [] }, /options/],
    ])('400: %j is refused by the name of its field', async (body, reason) => {
      const answer = await lab.api.post('/mount', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it('404 on GET and 400 on a path that cannot be one', async () => {
      expect(await lab.api.get('/mount?path=relative')).toMatchObject({ status: 400 });
      expect(await lab.api.get('/mount?path=/nowhere')).toMatchObject({
        status: 404,
        body: { status: 'No mount point found for path: /nowhere/' },
      });
    });

    it('501: a mount table in a file cannot be changed, and is shown', async () => {
      expect((await lab.offApi.get('/mount')).body).toEqual({
        results: [{ path: '/fixed/', ufs: `file://${lab.scratch}/local/` }],
      });
      for (const answer of [
        await lab.offApi.post('/mount', example),
        await lab.offApi.delete('/mount', { path: '/fixed' }),
      ]) {
        expect(answer).toMatchObject({
          status: 501,
          body: { status: expect.stringContaining('static file') as string },
        });
      }
      expect((await lab.offApi.get('/mount?path=/fixed')).status).toBe(200);
    });
  });
}
