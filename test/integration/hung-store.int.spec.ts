import { eventually, startCluster, type FaultHook, type LoadProgress, type TestCluster } from '#testing';
import { keys, S3Lab } from './s3-lab.js';

type Fault = NonNullable<ReturnType<FaultHook>>;

/** Far less than any time limit of a request to a store; a busy machine takes its part of it. */
const soonMs = 10_000;

describe('a store that takes requests and never answers', () => {
  let cluster: TestCluster;
  let lab: S3Lab;

  beforeAll(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({});
  }, 120_000);

  afterAll(async () => {
    await cluster?.dispose();
    await lab?.stop();
  });

  const test = (name: string, body: () => Promise<void>, timeoutMs = 90_000) =>
    it(name, () => cluster.watch(body), timeoutMs);

  const reads = (fault: Fault): FaultHook => {
    return ({ operation }) => (operation === 'GetObject' || operation === 'HeadObject' ? fault : undefined);
  };

  async function submit(kind: 'free' | 'rebalance', body: object): Promise<() => Promise<{ state: string }>> {
    const { status, body: answer } = await cluster.api.request<{ id: string }>('POST', `/${kind}`, { body });
    expect(status).toBe(200);
    return async () => (await cluster.api.request<{ state: string }>('GET', `/${kind}?id=${answer.id}`)).body;
  }

  const ended = (what: string, progress: () => Promise<{ state: string }>) =>
    eventually(what, async () => ((await progress()).state === 'SUCCEEDED' ? true : undefined), { timeoutMs: soonMs });

  /** A load of so many files, of which nothing comes, with all that workers may take of it in their hands. */
  async function hungLoad(bucket: string, count: number, fault: Fault, atLeast = 64): Promise<string> {
    await lab.bucket(cluster, bucket, keys(count), 10);
    lab.faults.set(bucket, reads(fault));
    const id = await cluster.api.load({ paths: [`/${bucket}`], options: { batchSize: 50 } });
    await eventually('requests at the hung store', () => lab.reads(bucket).length >= atLeast);
    return id;
  }

  const load = async (path: string): Promise<LoadProgress> =>
    cluster.api.waitForJob(await cluster.api.load({ paths: [path] }), { timeoutMs: soonMs });

  for (const [name, fault] of [
    ['hung', { kind: 'hang' }],
    ['stuck', { kind: 'pause', afterBytes: 1 }],
  ] as const satisfies [string, Fault][]) {
    test(`(${name}) holds up no other job of whatever kind, and goes with its mount`, async () => {
      const well = `well-beside-${name}`;
      await lab.bucket(cluster, well, ['a', 'b'], 10);
      const id = await hungLoad(name, 4_000, fault);
      expect(await load(`/${well}`)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2 });
      await ended('the rebalance', await submit('rebalance', { target: 'ALL' }));
      await ended('the free', await submit('free', { paths: [`/${well}`] }));
      expect(await cluster.api.progress(id)).toMatchObject({ state: 'RUNNING', failedFiles: 0 });

      // Another one hangs as well, with its share.
      const other = await hungLoad(`${name}-too`, 1_000, fault, 16);
      expect(await load(`/${well}`)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2 });
      await cluster.api.stopLoad(other);
      expect(await cluster.api.waitForJob(other, { timeoutMs: soonMs })).toMatchObject({ state: 'STOPPED' });

      const { status } = await cluster.api.request('DELETE', '/mount', { body: { path: `/${name}` } });
      expect(status).toBe(200);
      expect(await cluster.api.waitForJob(id, { timeoutMs: 20_000 })).toMatchObject({ state: 'FAILED' });
    });
  }

  test('holds up no other job of its own mount', async () => {
    await lab.bucket(cluster, 'half', keys(4_000), 10);
    await lab.put('half', 'good/a', Buffer.from('a'));
    lab.faults.set('half', ({ operation, key }) =>
      operation === 'GetObject' && key.startsWith('f/') ? { kind: 'pause', afterBytes: 1 } : undefined,
    );
    const id = await cluster.api.load({ paths: ['/half/f'] });
    await eventually('requests at the hung store', () => lab.reads('half').length >= 64);
    expect(await load('/half/good')).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 1 });
    await cluster.api.stopLoad(id);
  });
});
