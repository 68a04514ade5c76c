import { clusterSuite, eventually, type FaultHook, keys, type LoadProgress } from '#testing';

type Fault = NonNullable<ReturnType<FaultHook>>;

/** Far less than any time limit of a request to a store, and long enough for a busy machine. */
const soonMs = 10_000;

clusterSuite('a store that accepts requests and never answers', {}, ({ cluster, s3, test }) => {
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

  /** Starts a load of this many files that never arrive, and waits until the workers read as many as they may. */
  async function hungLoad(bucket: string, count: number, fault: Fault, atLeast = 64): Promise<string> {
    await s3.bucket(cluster, bucket, keys(count), 10);
    s3.faults.set(bucket, reads(fault));
    const id = await cluster.api.load({ paths: [`/${bucket}`], options: { batchSize: 50 } });
    await eventually('requests at the hung store', () => s3.reads(bucket).length >= atLeast);
    return id;
  }

  const load = async (path: string): Promise<LoadProgress> =>
    cluster.api.waitForJob(await cluster.api.load({ paths: [path] }), { timeoutMs: soonMs });

  for (const [name, fault] of [
    ['hung', { kind: 'hang' }],
    ['stuck', { kind: 'pause', afterBytes: 1 }],
  ] as const satisfies [string, Fault][]) {
    test(`(${name}) delays no other job of any kind, and its load ends with its mount`, async () => {
      const well = `well-beside-${name}`;
      await s3.bucket(cluster, well, ['a', 'b'], 10);
      const id = await hungLoad(name, 4_000, fault);
      expect(await load(`/${well}`)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2 });
      await ended('the rebalance', await submit('rebalance', { target: 'ALL' }));
      await ended('the free', await submit('free', { paths: [`/${well}`] }));
      expect(await cluster.api.progress(id)).toMatchObject({ state: 'RUNNING', failedFiles: 0 });

      // A second job hangs as well and uses its share.
      const other = await hungLoad(`${name}-too`, 1_000, fault, 16);
      expect(await load(`/${well}`)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2 });
      await cluster.api.stopLoad(other);
      expect(await cluster.api.waitForJob(other, { timeoutMs: soonMs })).toMatchObject({ state: 'STOPPED' });

      const { status } = await cluster.api.request('DELETE', '/mount', { body: { path: `/${name}` } });
      expect(status).toBe(200);
      expect(await cluster.api.waitForJob(id, { timeoutMs: 20_000 })).toMatchObject({ state: 'FAILED' });
    });
  }

  test('delays no other job of its own mount', async () => {
    await s3.bucket(cluster, 'half', keys(4_000), 10);
    await s3.put('half', 'good/a', Buffer.from('a'));
    s3.faults.set('half', ({ operation, key }) =>
      operation === 'GetObject' && key.startsWith('f/') ? { kind: 'pause', afterBytes: 1 } : undefined,
    );
    const id = await cluster.api.load({ paths: ['/half/f'] });
    await eventually('requests at the hung store', () => s3.reads('half').length >= 64);
    expect(await load('/half/good')).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 1 });
    await cluster.api.stopLoad(id);
  });
});
