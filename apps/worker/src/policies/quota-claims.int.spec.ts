import { until } from '#async';
import { DomainError } from '#kernel';
import type { WorkBatch } from '#contexts/jobs';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';
import type { QuotaClaims } from './quota-claims.js';

const path = `${root}dir/a`;
const quota = 's3://bucket/dir';

describe('room for copies on their way', () => {
  let cluster: InProcessCluster;
  let worker: InProcessWorker;
  let claims: QuotaClaims;
  let asked: { id: string; path: string; bytes: number }[];
  let answers: (() => unknown)[];

  beforeEach(async () => {
    cluster = await InProcessCluster.open();
    worker = await cluster.start();
    claims = worker.services.claims;
    [asked, answers] = [[], []];
    claims.connect((request) => {
      // A coordinator that asks all workers before it answers finds the claim.
      expect(claims.describe().map(({ id }) => id)).toContain(request.id);
      asked.push(request);
      return Promise.resolve((answers.shift() ?? (() => ({ granted: true })))());
    });
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data/dir', quotaBytes: 100 } });
  });
  afterEach(() => cluster.close());

  const batch = (quotaBytes?: Record<string, number>) =>
    ({ jobId: 'j', batchId: 'b', ...(quotaBytes && { quotaBytes }) }) as WorkBatch;
  const { signal } = new AbortController();

  it('a reader records its claim before it asks, and the claim stands until it is released', async () => {
    const room = await claims.forReader(path, 40);
    expect(claims.describe()).toEqual([{ id: asked[0].id, bytes: 40, ufsPaths: [quota] }]);
    room!.release();
    expect(claims.describe()).toEqual([]);
  });

  it('a claim that is refused or gets no answer is removed', async () => {
    answers.push(
      () => ({ granted: false, reason: 'full' }),
      () => Promise.reject(new DomainError('Unavailable', 'request-timeout', 'no answer')),
    );
    expect(await claims.forReader(path, 40)).toBeUndefined();
    expect(await claims.forReader(path, 40)).toBeUndefined();
    expect(claims.describe()).toEqual([]);
  });

  it('a copy that is to be replaced makes the claim smaller while it exists', async () => {
    await worker.put('dir/a', 'x'.repeat(30));
    await claims.forReader(path, 40);
    expect([asked[0].bytes, claims.describe()[0].bytes]).toEqual([10, 10]);
    await worker.cache.delete(path);
    expect(claims.describe()[0].bytes).toBe(40);
  });

  it('bytes on their way count from the moment when a quota is set', async () => {
    const other = `${root}other/a`;
    await claims.forReader(other, 5);
    expect([asked, claims.describe()]).toEqual([[], []]);
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data/other', quotaBytes: 1 } });
    expect(claims.describe()).toMatchObject([{ bytes: 5, ufsPaths: ['s3://bucket/other'] }]);
  });

  it('a batch uses up its reservation, and asks for room beyond it', async () => {
    const claim = claims.forBatch(batch({ [quota]: 50 }), false, signal);
    await claim(path, 30);
    await claim(`${root}dir/b`, 30);
    expect(asked).toMatchObject([{ path: `${root}dir/b`, bytes: 10 }]);
    expect(claims.describe()).toMatchObject([
      { bytes: 30, batch: { jobId: 'j', batchId: 'b', reserved: { [quota]: 30 } } },
      { bytes: 30, batch: { reserved: { [quota]: 20 } } },
    ]);
  });

  it('a batch without quotas from its owner, or whose copies only move, does not ask and is counted', async () => {
    await claims.forBatch(batch(), false, signal)(path, 30);
    await claims.forBatch(batch({}), true, signal)(path, 30);
    expect([asked.length, claims.describe().length]).toEqual([0, 2]);
  });

  it('a batch asks again while the answer is unsure, and fails the file when it is no', async () => {
    answers.push(
      () => ({ granted: false, unsure: true }),
      () => ({ granted: false, reason: 'the quota of /data/dir would be exceeded' }),
    );
    const claimed = claims.forBatch(batch({}), false, signal)(path, 30);
    await expect(claimed).rejects.toMatchObject({
      kind: 'Refused',
      message: 'the quota of /data/dir would be exceeded',
    });
    expect([asked.length, claims.describe()]).toEqual([2, []]);
  });

  it('a file of a batch fails with that reason, and a verifying pass asks before it restores a file', async () => {
    await cluster.s3.put('bucket', 'dir/a', 'x'.repeat(40));
    answers.push(() => ({ granted: false, reason: 'the quota of /data/dir would be exceeded' }));
    const one = { kind: 'load', pass: 'verify', root, files: [['dir/a', -1, '']], quotaBytes: {} } as const;
    const options = { replicas: 1, skipIfExists: false, loadMetadataOnly: false };
    const refused = await worker.execute({ ...one, files: [['dir/a', -1, '']], options });
    expect(refused.failures).toMatchObject([{ reason: 'verify: the quota of /data/dir would be exceeded' }]);
    const repaired = await worker.execute({ ...one, files: [['dir/a', -1, '']], options });
    expect(repaired.counts).toMatchObject({ repairedFiles: 1, repairedBytes: 40 });
    await until(() => (claims.describe().length === 0 ? true : undefined));
  });
});
