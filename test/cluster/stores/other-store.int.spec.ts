import { clusterSuite, type ClusterSuite, content, eventually, keys, S3Fixture, type WorkerHandle } from '#testing';

const count = 20;

/** Concurrent transfers of each worker, in the tests that set it. */
const transfers = 4;

/** Some tests need settings of their own. Each test has a cluster of its own. */
function otherStoreSuite(env: Record<string, string>, body: (suite: ClusterSuite) => void): void {
  const options = { workers: 2, env, clusterPer: 'test', testTimeoutMs: 120_000 } as const;
  clusterSuite('a bucket of the same name at another endpoint', options, body);
}

/** The first store is `s3` of the suite. @returns the other store, and helpers for both */
function twoStores({ cluster, s3: first }: ClusterSuite) {
  let other: S3Fixture;
  beforeEach(async () => void (other = await S3Fixture.start()));
  afterEach(() => other?.stop());

  const call = async <Body = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
  ) => cluster.api.request<Body>(method, path, body === undefined ? {} : { body });
  const index = async (query = '') => (await call<{ results: string[] }>('GET', `/file_index${query}`)).body.results;
  const load = async (options = {}) =>
    cluster.api.waitForJob(await cluster.api.load({ paths: ['/shared'], options: { replicas: 2, ...options } }));
  const free = async (body: Record<string, unknown>) =>
    (await call('POST', '/free', { ...body, options: { sync: true, ...(body.options as object) } })).body;

  async function read({ address }: WorkerHandle, path: string, more = ''): Promise<string> {
    const answer = await fetch(`http://${address}/v1/objects?path=${encodeURIComponent(path)}${more}`);
    const text = await answer.text();
    return answer.status === 200 ? text : String(answer.status);
  }

  /** The answers of all workers to readers of a path. */
  async function answers(path: string, more = '&redirect=false'): Promise<string[]> {
    return [...new Set(await Promise.all(cluster.workers.map((worker) => read(worker, path, more))))];
  }

  async function firstLoaded() {
    const files = await first.bucket(cluster, 'shared', keys(count));
    await first.put('shared', 'only-first', Buffer.from('only the first has this'));
    expect(await load()).toMatchObject({ state: 'SUCCEEDED', loadedFiles: count + 1 });
    other.server.createBucket('shared');
    for (const key of keys(count)) await other.put('shared', key, content(`other ${key}`, 700));
    return files;
  }

  const mount = (store: S3Fixture) => cluster.api.mount('/shared', 's3://shared', store.mountOptions);
  const unmount = () => call('DELETE', '/mount', { path: '/shared' });
  const moveTo = async (store: S3Fixture) => {
    expect((await unmount()).status).toBe(200);
    await mount(store);
  };

  return {
    call,
    index,
    load,
    free,
    read,
    answers,
    firstLoaded,
    mount,
    unmount,
    moveTo,
    get other() {
      return other;
    },
  };
}

otherStoreSuite({}, (suite) => {
  const { cluster, s3: first, test } = suite;
  const stores = twoStores(suite);
  const { call, index, load, free, read, answers, firstLoaded, mount, unmount, moveTo } = stores;

  test('is loaded again, verified and served with its own bytes, and the first is unchanged after it is mounted again', async () => {
    const [{ path }] = await firstLoaded();
    const own = content(`other ${keys(1)[0]}`, 700).toString();
    await moveTo(stores.other);
    // Asks the worker without the file, the worker with it, and follows a redirect.
    expect(await answers(path)).toEqual([own]);
    expect(await answers(path, '')).toEqual([own]);
    expect(await answers('s3://shared/only-first')).toEqual(['404']);
    expect(await load({ skipIfExists: true, verify: true })).toMatchObject({
      ...{ state: 'SUCCEEDED', scannedFiles: count, failedFiles: 0, verifiedFiles: count, repairedFiles: 0 },
    });
    expect(await answers(path, '&cachedOnly=true')).toEqual([own]);
    expect(await index()).toEqual(keys(count).map((key) => `s3://shared/${key}`));

    const reads = first.reads('shared').length;
    await moveTo(first);
    expect(await load({ skipIfExists: true })).toMatchObject({ state: 'SUCCEEDED', skippedFiles: count + 1 });
    expect(await answers('s3://shared/only-first', '&cachedOnly=true')).toEqual(['only the first has this']);
    expect(first.reads('shared')).toHaveLength(reads);
  });

  test('is distinguished from the first by rebalances, quotas and returning workers', async () => {
    const [{ path }] = await firstLoaded();
    await cluster.workers[0].process.kill9();
    await moveTo(stores.other);
    cluster.workers[0].process.launch();
    await cluster.workers[0].process.untilReady();
    await cluster.untilOnline(2);
    expect(await answers(path, '&cachedOnly=true')).toEqual(['404']);
    await call('POST', '/quota', { path: '/shared', quotaBytes: 2 * count * 700 });
    await eventually('the quota counts what is mounted', async () => {
      const { body } = await call('GET', '/quota?path=/shared');
      return body.usedBytes === 0 || undefined;
    });
    const added = await cluster.startWorker();
    await call('POST', '/rebalance', { target: 'ALL' });
    await eventually('the rebalance has ended', async () => {
      const { body } = await call<{ results: { state: string }[] }>('GET', '/rebalance');
      return body.results.every(({ state }) => state === 'SUCCEEDED') || undefined;
    });
    expect(await read(added, path, '&cachedOnly=true')).toBe('404');
    expect(await load()).toMatchObject({ state: 'SUCCEEDED', loadedFiles: count });
    expect(await index()).toHaveLength(count);
  });

  test('leaves cached files of the first that can be listed, counted and freed', async () => {
    const files = await firstLoaded();
    const paths = [...files.map(({ path }) => path), 's3://shared/only-first'];
    expect(await index('?unmounted=true')).toEqual([]);
    expect((await unmount()).status).toBe(200);
    expect(await index('?unmounted=true&count=100')).toEqual(paths);
    expect(await free({ paths: ['s3://shared/f/00000'] })).toMatchObject({ state: 'SUCCEEDED', freedFiles: 1 });
    await mount(stores.other);
    expect(await load()).toMatchObject({ state: 'SUCCEEDED' });
    expect(await index('?unmounted=true')).toEqual(paths.slice(1));
    await eventually('the nodes report the files', async () => {
      const { result } = (await call<{ result: { unmountedObjects: number }[] }>('GET', '/nodes')).body;
      return result.every(({ unmountedObjects }) => unmountedObjects === count) || undefined;
    });
    expect(await free({ paths: ['/shared'], options: { unmounted: true } })).toMatchObject({ freedFiles: count });
    expect(await index('?unmounted=true')).toEqual([]);
    expect(await index()).toHaveLength(count);
    expect(await free({ paths: ['s3://shared'] })).toMatchObject({ freedFiles: count });
    expect((await call('GET', '/file_index?unmounted=perhaps')).status).toBe(400);
  });

  test('ends a running load of the first, which loads nothing from the other', async () => {
    await first.bucket(cluster, 'shared', keys(3000), 100);
    stores.other.server.createBucket('shared');
    for (const key of keys(3000).slice(2900)) await stores.other.put('shared', key, content(`other ${key}`, 700));
    const gate = first.hold('shared', 20);
    const id = await cluster.api.load({ paths: ['/shared'], options: { batchSize: 10 } });
    await gate.reached;
    await moveTo(stores.other);
    gate.open();
    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'FAILED' });
    expect(JSON.stringify(done.errorMessage)).toMatch(/another store .* submit it again/);
    expect(stores.other.reads('shared')).toEqual([]);
    expect(await index()).toEqual([]);
    expect(await load()).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 100, loadedFiles: 100 });
  });
});

otherStoreSuite({ LARDER_UNMOUNTED_KEEP_MS: '2000' }, (suite) => {
  const stores = twoStores(suite);
  const { index, load, firstLoaded, moveTo } = stores;

  suite.test('leads to the eviction of the files of the first without a request', async () => {
    await firstLoaded();
    await moveTo(stores.other);
    expect(await load()).toMatchObject({ state: 'SUCCEEDED' });
    await eventually('the files are evicted', async () => (await index('?unmounted=true')).length === 0 || undefined);
    expect(await index()).toHaveLength(count);
  });
});

otherStoreSuite({ LARDER_WORKER_TRANSFERS: String(transfers) }, (suite) => {
  const { cluster, s3: first, test } = suite;
  const stores = twoStores(suite);
  const { call, answers } = stores;

  test('cannot replace a mount through changed options, while keys can be changed during a load', async () => {
    const files = await first.bucket(cluster, 'shared', keys(200));
    await call('POST', '/ttl', { path: '/shared', ttlSeconds: 100_000 });
    const gate = first.hold('shared', 20);
    const id = await cluster.api.load({ paths: ['/shared'], options: { batchSize: 5, replicas: 1 } });
    // The keys change while no read with the old keys is on its way: all transfers that may run are held.
    await eventually('all transfers are held', () => first.reads('shared').length === 20 + 2 * transfers);
    const put = (options: Record<string, string>, more = {}) =>
      call('PUT', '/mount', { path: '/shared', options, ...more });
    expect(await put(stores.other.mountOptions)).toMatchObject({
      status: 409,
      body: { status: expect.stringMatching(/another store/) as string },
    });
    expect(await call('PUT', '/mount', { path: '/none', options: {} })).toMatchObject({ status: 404 });
    expect(await call('PUT', '/mount', { path: '/shared' })).toMatchObject({ status: 400 });
    expect(await put({ ...first.mountOptions, endpiont: 'x' })).toMatchObject({ status: 400 });

    Object.assign(first.server.credentials, { accessKeyId: 'rotated', secretAccessKey: 'rotated-secret' });
    expect(await put(first.mountOptions)).toMatchObject({ status: 200, body: { status: 'ok' } });
    gate.open();
    expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 200, failedFiles: 0 });
    expect((await call('GET', '/ttl?path=/shared')).body).toEqual({ path: '/shared', ttlSeconds: 100_000 });
    const { body } = await call<{ options: Record<string, string> }>('GET', '/mount?path=/shared');
    expect(JSON.stringify(body)).not.toContain('rotated-secret');
    const events = await call<{ results: { type: string }[] }>('GET', '/events?type=MountOptionsReplaced');
    expect(events.body.results).toHaveLength(1);
    expect(JSON.stringify(events.body)).not.toContain('rotated-secret');
    expect(await answers(files[0].path)).toHaveLength(1);
  });
});
