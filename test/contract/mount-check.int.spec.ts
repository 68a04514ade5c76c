import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, startCluster } from '#testing';
import { Contract } from './support/contract.js';

const checking = { workers: 0, env: { LARDER_MOUNT_CHECK_MS: '1000' } };

/** The warnings in the answer to a mount when its store differs from its options. The mount is made in every case. */
clusterSuite('the check of the store at a mount', checking, ({ cluster, s3 }) => {
  const scratch = mkdtempSync(join(tmpdir(), 'larder-mount-check-'));
  let options: Record<string, string>;
  let api: Contract;
  let mounts = 0;

  beforeAll(async () => {
    options = s3.mountOptions;
    s3.server.createBucket('good');
    await s3.server.put('good', 'dir/file', 'x');
    api = await Contract.with(cluster.api.baseUrl);
  }, 120_000);

  afterAll(async () => {
    await api?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Mounts and unmounts. @returns the warning */
  async function warningOf(ufs: string, changes: Record<string, string> = {}): Promise<unknown> {
    const path = `/mount-${mounts++}`;
    const given = ufs.startsWith('s3') ? { options: { ...options, ...changes } } : {};
    const { status, body } = await api.post('/mount', { path, ufs, ...given });
    expect({ code: status, ...body }).toMatchObject({ code: 200, status: 'ok' });
    expect((await api.get(`/mount?path=${path}`)).body).not.toHaveProperty('warning');
    expect((await api.delete('/mount', { path })).status).toBe(200);
    return body.warning;
  }

  it('gives no warning about a correct mount', async () => {
    mkdirSync(join(scratch, 'empty'));
    for (const ufs of ['s3://good/', 's3://good/dir', `file://${scratch}`, `file://${scratch}/empty/`, 'file:///']) {
      expect({ ufs, warning: await warningOf(ufs) }).toEqual({ ufs, warning: undefined });
    }
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ['a missing bucket', 's3://missing-bucket/', {}, /no such bucket \(404 NoSuchBucket\)/],
    ['an unknown access key', 's3://good/', { 's3a.accessKeyId': 'nobody' }, /does not know the access key id \(403/],
    ['a wrong secret', 's3://good/', { 's3a.secretKey': 'wrong' }, /refuses the signature.* \(403/],
    ['an empty prefix', 's3://good/none/', {}, /Nothing is there yet: s3:\/\/good\/none\/\./],
    [
      'an endpoint that refuses connections',
      's3://good/',
      { 'alluxio.underfs.s3.endpoint': 'http://127.0.0.1:1' },
      /refuses conn/,
    ],
  ])('warns about %s and names the observer', async (_name, ufs, changes, reason) => {
    const warning = await warningOf(ufs, changes);
    expect(warning).toMatch(reason);
    expect(warning).toMatch(/ This is what this coordinator sees; the mount was made all the same\.$/);
  });

  it('warns about denied access', async () => {
    s3.faults.set('good', () => ({ kind: 'status', status: 403, code: 'AccessDenied' }));
    expect(await warningOf('s3://good/')).toMatch(/Access is denied \(403 AccessDenied\)/);
    s3.faults.delete('good');
  });

  it('a hanging store delays the answer only up to the time limit', async () => {
    s3.faults.set('good', () => ({ kind: 'hang' }));
    const before = performance.now();
    expect(await warningOf('s3://good/')).toMatch(/did not answer/);
    const tookMs = performance.now() - before;
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(8_000);
    s3.faults.delete('good');
  });

  it('warns about a missing directory, and refuses a file and a path that is not absolute', async () => {
    writeFileSync(join(scratch, 'file'), 'x');
    expect(await warningOf(`file://${scratch}/none`)).toMatch(/^There is no such directory: file:\/\/\/.*none\/\. /);
    expect(await warningOf(`file://${scratch}/file/below`)).toMatch(/^There is no such directory/);
    for (const [ufs, reason] of [
      [`file://${scratch}/file`, /ufs: A file mount must be a directory/],
      ['file://relative/dir', /ufs must have the form file:\/\/\/absolute/],
      ['file:relative', /ufs must be a UFS path/],
      ['relative', /ufs must be a UFS path/],
    ] as const) {
      const answer = await api.post('/mount', { path: '/never', ufs });
      expect({ ufs, ...answer }).toMatchObject({ status: 400 });
      expect(answer.body.status).toMatch(reason);
    }
    expect((await api.get('/mount')).body.results).toEqual([]);
  });

  it('checks no store for a mount that the mount table refuses', async () => {
    await api.post('/mount', { path: '/taken', ufs: 's3://good/', options });
    const asked = s3.server.requests.length;
    for (const body of [
      { path: '/taken', ufs: 's3://missing-bucket/', options },
      { path: '/other', ufs: 's3://good/dir', options },
    ]) {
      expect((await api.post('/mount', body)).status).toBe(409);
    }
    expect(s3.server.requests.length).toBe(asked);
    await api.delete('/mount', { path: '/taken' });
  });

  it('a misspelt option in a static mount table ends the start with a message', async () => {
    const table = join(scratch, 'mounts.json');
    writeFileSync(
      table,
      JSON.stringify([{ path: '/x', ufs: 's3://bucket', options: { 's3a.secretKeyy': 'topsecret' } }]),
    );
    const started = startCluster({ workers: 0, env: { LARDER_MOUNT_TABLE: table } });
    const refusal = await started.then(
      (unwanted) => unwanted.dispose().then(() => 'it started'),
      (error: Error) => error.message,
    );
    expect(refusal).toMatch(/LARDER_MOUNT_TABLE: \/x\/: .*s3a\.secretKeyy is not known: did you mean s3a\.secretKey\?/);
    expect(refusal).not.toContain('topsecret');
  }, 120_000);
});
