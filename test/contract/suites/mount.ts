import { s3TestCredentials } from '#testing';
import { type ContractFixture, ok, requiredMissing } from '../support/contract-fixture.js';

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

/** Needs an empty mount table, and leaves it empty. */
export function mountContract(fixture: ContractFixture): void {
  describe('/mount', () => {
    it('returns 200 for the unchanged example of the reference, which GET shows at once with masked secrets', async () => {
      expect(await fixture.api.get('/mount')).toMatchObject({ status: 200, body: { results: [] } });
      expect(await fixture.api.post('/mount', example)).toMatchObject({ status: 200, body: ok });
      const { body } = await fixture.api.get('/mount');
      expect(body).toEqual({ results: [shown] });
      for (const path of ['/data', '/data/', '//data//', '%2Fdata']) {
        expect((await fixture.api.get(`/mount?path=${path}`)).body).toEqual(shown);
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
      const answer = await fixture.api.post('/mount', body);
      expect(answer.status).toBe(409);
      expect(answer.body.status).toMatch(reason);
    });

    it('returns 200 for the unchanged DELETE example of the reference, then 410 and 404', async () => {
      expect(await fixture.api.delete('/mount', { path: '/data' })).toMatchObject({ status: 200, body: ok });
      expect(await fixture.api.get('/mount?path=/data')).toMatchObject({
        status: 404,
        body: { status: 'No mount point found for path: /data/' },
      });
      expect((await fixture.api.delete('/mount', { path: '/data' })).status).toBe(410);
      expect((await fixture.api.get('/mount')).body).toEqual({ results: [] });
    });

    it('omits empty options', async () => {
      await fixture.api.post('/mount', { path: '/plain', ufs: `file://${fixture.scratch}/local`, options: {} });
      expect((await fixture.api.get('/mount?path=/plain')).body).toEqual({
        path: '/plain/',
        ufs: `file://${fixture.scratch}/local/`,
      });
      await fixture.api.delete('/mount', { path: '/plain' });
    });

    it.each([undefined, {}, { path: '/a' }, { ufs: 's3://bucket' }, { path: '', ufs: 's3://bucket' }, { path: null }])(
      'returns 400 when required fields are missing: %j',
      async (body) => {
        expect(await fixture.api.post('/mount', body)).toMatchObject({ status: 400, body: requiredMissing });
      },
    );

    it.each([undefined, {}, { path: '' }])('400: DELETE of %j', async (body) => {
      expect(await fixture.api.delete('/mount', body)).toMatchObject({ status: 400, body: requiredMissing });
    });

    it.each([
      [{ path: 'data', ufs: 's3://bucket' }, /path must start with/],
      [{ path: '/a/../b', ufs: 's3://bucket' }, /path must not hold/],
      [{ path: '/a', ufs: '/tmp' }, /ufs must be a UFS path/],
      [{ path: '/a', ufs: 'hdfs://host/x' }, /ufs has the scheme 'hdfs'/],
      [{ path: '/a', ufs: 's3://bucket', options: { x: 1 } }, /^options\.x must be a string$/],
      [
        { path: '/a', ufs: 's3://bucket', options: { region: 'r'.repeat(5000) } },
        /^options\.region must not be longer/,
      ],
      [
        { path: '/a', ufs: 's3://bucket', options: { 's3a.secretKeyy': 'x' } },
        /s3a\.secretKeyy .* mean s3a\.secretKey\?/,
      ],
      [{ path: '/a', ufs: 's3://bucket', options: { 'fs.s3a.acces.key': 'x' } }, /mean fs\.s3a\.access\.key\?/],
      [{ path: '/a', ufs: 's3://bucket', options: { 'fs.s3a.proxy.host': 'x' } }, /fs\.s3a\.proxy\.host is not known/],
      [
        { path: '/a', ufs: 's3://bucket', options: { 'my-note': 'x' } },
        /my-note is not known: the nearest known one is/,
      ],
      [{ path: '/a', ufs: 'file:///tmp', options: { region: 'x' } }, /region is not known: file:\/\/ has no options/],
      [{ path: '/a', ufs: 'file://relative/dir' }, /ufs must have the form file:\/\/\/absolute/],
      [{ path: '/a', ufs: `file://${process.execPath}` }, /ufs: A file mount must be a directory/],
      [{ path: '/a', ufs: 's3://bucket', options: [] }, /options/],
    ])('returns 400 naming the field: %j', async (body, reason) => {
      const answer = await fixture.api.post('/mount', body);
      expect(answer.status).toBe(400);
      expect(answer.body.status).toMatch(reason);
    });

    it('returns 200 for options in Hadoop’s spelling, where those of the bucket override the general ones', async () => {
      const { accessKeyId, secretAccessKey } = s3TestCredentials;
      const options = {
        'fs.s3a.access.key': 'nobody',
        'fs.s3a.secret.key': secretAccessKey,
        'fs.s3a.bucket.my-bucket.access.key': accessKeyId,
        'fs.s3a.bucket.other.secret.key': 'not-ours',
        'fs.s3a.endpoint': fixture.s3.endpoint.replace('http://', ''),
        'fs.s3a.endpoint.region': 'us-east-1',
        'fs.s3a.path.style.access': 'true',
        'fs.s3a.connection.ssl.enabled': 'false',
        'fs.s3a.threads.max': '64',
      };
      const ignored = ['options.fs.s3a.bucket.other.secret.key', 'options.fs.s3a.threads.max'];
      const mounted = await fixture.api.post('/mount', { path: '/hadoop', ufs: 's3a://my-bucket/', options });
      expect(mounted.body).toEqual({ status: 'ok', ignored });
      expect((await fixture.api.get('/mount?path=/hadoop')).body).toEqual({
        path: '/hadoop/',
        ufs: 's3://my-bucket/',
        options: {
          ...Object.fromEntries(Object.entries(options).filter(([name]) => !ignored.includes(`options.${name}`))),
          'fs.s3a.secret.key': '******',
        },
      });
      await fixture.load(['/hadoop/dir/to/path/small/00']);
      await fixture.free(['/hadoop']);
      await fixture.api.delete('/mount', { path: '/hadoop' });
    });

    it('returns 200 with a warning for a missing directory, and mounts it', async () => {
      const ufs = `file://${fixture.scratch}/local/not-there-yet`;
      const { status, body } = await fixture.api.post('/mount', { path: '/later', ufs });
      expect({ code: status, ...body }).toMatchObject({
        code: 200,
        status: 'ok',
        warning: expect.any(String) as string,
      });
      expect(body.warning).toContain(`There is no such directory: ${ufs}/`);
      await fixture.api.delete('/mount', { path: '/later' });
    });

    it('returns 404 for GET of an unknown mount, and 400 for an invalid path', async () => {
      expect(await fixture.api.get('/mount?path=relative')).toMatchObject({ status: 400 });
      expect(await fixture.api.get('/mount?path=/nowhere')).toMatchObject({
        status: 404,
        body: { status: 'No mount point found for path: /nowhere/' },
      });
    });

    it('PUT replaces all options, keeps policies, and refuses another store, another UFS and an unmounted path', async () => {
      const options = { endpoint: 'http://127.0.0.1:9', accessKeyId: 'old', secretAccessKey: 'old', region: 'eu-1' };
      await fixture.api.post('/mount', { path: '/rotated', ufs: 's3://rotated-bucket', options });
      await fixture.api.post('/ttl', { path: '/rotated', ttlSeconds: 1000 });
      const { region: _, ...others } = options;
      const rotated = { ...others, accessKeyId: 'new', secretAccessKey: 'new' };
      const put = (more: Record<string, unknown>) =>
        fixture.api.put('/mount', { path: '/rotated', options: rotated, ...more });
      expect(await put({})).toMatchObject({ status: 200, body: ok });
      expect((await fixture.api.get('/mount?path=/rotated')).body).toMatchObject({
        options: { endpoint: 'http://127.0.0.1:9', accessKeyId: 'new', secretAccessKey: '******' },
      });
      expect((await fixture.api.get('/mount?path=/rotated')).body).not.toHaveProperty('options.region');
      expect((await fixture.api.get('/ttl?path=/rotated')).body).toEqual({ path: '/rotated', ttlSeconds: 1000 });
      expect(await put({ ufs: 's3://rotated-bucket/' })).toMatchObject({ status: 200 });
      expect(await put({ ufs: 's3://other-bucket' })).toMatchObject({ status: 409 });
      expect(await put({ options: { ...rotated, endpoint: 'http://127.0.0.1:10' } })).toMatchObject({ status: 409 });
      expect(await put({ options: { ...rotated, endpoint: 'nonsense' } })).toMatchObject({ status: 400 });
      expect(await fixture.api.put('/mount', { path: '/rotated' })).toMatchObject({
        status: 400,
        body: requiredMissing,
      });
      expect(await fixture.api.put('/mount', { path: '/nowhere', options: {} })).toMatchObject({
        status: 404,
        body: { status: 'No mount point found for path: /nowhere/' },
      });
      await fixture.api.delete('/mount', { path: '/rotated' });
    });

    it('returns 501 for changes of a static mount table, and 200 for GET', async () => {
      expect((await fixture.offApi.get('/mount')).body).toEqual({
        results: [{ path: '/fixed/', ufs: `file://${fixture.scratch}/local/` }],
      });
      for (const answer of [
        await fixture.offApi.post('/mount', example),
        await fixture.offApi.put('/mount', { path: '/fixed', options: {} }),
        await fixture.offApi.delete('/mount', { path: '/fixed' }),
      ]) {
        expect(answer).toMatchObject({
          status: 501,
          body: { status: expect.stringContaining('static file') as string },
        });
      }
      expect((await fixture.offApi.get('/mount?path=/fixed')).status).toBe(200);
    });
  });
}
