import { HashRing } from '#hash-ring';
import { clusterSuite, eventually, expectCacheEqualsSource, keys, type SourceFile, type TestCluster } from '#testing';
import { call, entriesOf, heldByAny, jobEnd, pathsOf, runJob } from './support/calls.js';

const MiB = 1024 * 1024;

/** Asks all workers for all files, again and again. At every moment, some worker must hold each file. */
class Availability {
  rounds = 0;
  private running = true;
  private readonly watching: Promise<void>;

  constructor(
    private readonly cluster: TestCluster,
    private readonly paths: readonly string[],
  ) {
    this.watching = this.watch();
    // `stop` reports a rejection. This handler only prevents an unhandled one before that.
    this.watching.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.watching;
    expect(this.rounds).toBeGreaterThan(1);
  }

  private async watch(): Promise<void> {
    for (; this.running; this.rounds++) {
      const missing = await this.missing(this.paths);
      // Asks twice: a file can arrive at one worker after that was asked, and leave another before. It moves only once.
      const gone = missing.length > 0 ? await this.missing(missing) : [];
      if (gone.length > 0) throw new Error(`round ${this.rounds}: no worker holds ${gone.slice(0, 5).join(', ')}`);
    }
  }

  private async missing(paths: readonly string[]): Promise<string[]> {
    const held = await heldByAny(this.cluster, paths);
    return paths.filter((path) => !held.has(path));
  }
}

clusterSuite('rebalance over S3', { coordinators: 1, workers: 2 }, ({ cluster, s3, test }) => {
  let single: SourceFile[];
  let double: SourceFile[];
  let files: SourceFile[];
  let fetched: number;

  beforeAll(async () => {
    single = await s3.bucket(cluster, 'single', keys(300), 3000);
    double = await s3.bucket(cluster, 'double', keys(150), 2000);
    for (let i = 0; i < 4; i++) single.push(await s3.put('single', `large/${i}`, Buffer.alloc(3 * MiB, `large ${i}`)));
    files = [...single, ...double];
    expect(await runJob(cluster.api, 'load', { paths: ['/single'] })).toMatchObject({ state: 'SUCCEEDED' });
    const options = { replicas: 2 };
    expect(await runJob(cluster.api, 'load', { paths: ['/double'], options })).toMatchObject({ state: 'SUCCEEDED' });
    fetched = gets();
  });
  const gets = () => s3.server.counters.get('GetObject') ?? 0;

  /** Entries by worker id. Without `strays`, a worker may hold only the entries that the ring assigns to it. */
  async function placement(members: readonly string[]): Promise<{ held: string[][]; wanted: string[][] }> {
    const ring = new HashRing(members);
    const workers = cluster.workers.filter(({ id }) => members.includes(id));
    const held = await Promise.all(
      workers.map(async (worker) => [...(await entriesOf(worker, members)).keys()].sort()),
    );
    const wanted = workers.map(({ id }) =>
      [...single.map(({ path }) => ({ path, copies: 1 })), ...double.map(({ path }) => ({ path, copies: 2 }))]
        .filter(({ path, copies }) => ring.owners(path, copies).includes(id))
        .map(({ path }) => path)
        .sort(),
    );
    return { held, wanted };
  }

  const copiesIn = (lists: string[][]) => lists.reduce((sum, list) => sum + list.length, 0);

  test('moves copies to an added worker, first without pruning, then with it', async () => {
    await cluster.startWorker();
    const members = cluster.workers.map(({ id }) => id);
    const availability = new Availability(cluster, pathsOf(files));
    const before = await placement(members);
    const missing = copiesIn(before.wanted.map((wanted, i) => wanted.filter((path) => !before.held[i].includes(path))));
    expect(missing).toBeGreaterThan(100);

    const options = { skipPrune: true, loadBatchSize: 50, loadBandwidth: 10485746000, pruneBandwidth: 10485746000 };
    const loaded = await runJob(cluster.api, 'rebalance', { target: 'ALL', options });
    expect(loaded).toMatchObject({
      ...{ state: 'SUCCEEDED', totalWorkers: 3, succeededWorkers: 3, failedWorkers: 0, filesFailed: 0 },
      ...{ filesLoaded: missing, filesFromPeers: missing, filesFromUfs: 0, filesPruned: 0, bytesPruned: 0 },
      ...options,
    });
    const between = await placement(members);
    between.wanted.forEach((wanted, i) => expect(between.held[i]).toEqual(expect.arrayContaining(wanted)));
    expect(copiesIn(between.held)).toBe(copiesIn(before.held) + missing);

    const pruned = await runJob(cluster.api, 'rebalance', { target: 'ALL' });
    expect(pruned).toMatchObject({
      ...{ state: 'SUCCEEDED', filesLoaded: 0, filesPruned: missing, filesFailed: 0 },
      filesPreserved: copiesIn(before.wanted),
    });
    await availability.stop();
    const after = await placement(members);
    expect(after.held).toEqual(after.wanted);
    expect(gets()).toBe(fetched);
    await expectCacheEqualsSource(cluster, double, { copies: 2, others: 'any' });
    await expectCacheEqualsSource(cluster, single, { others: double.length * 2 });
  });

  test('restores entries of the file index that were removed by hand, each once', async () => {
    const body = { files: pathsOf(double) };
    const all = { entries: double.length };
    expect(await call(cluster.api, 'POST', '/file_index', body)).toEqual({ entries: 0 });
    expect(await call(cluster.api, 'DELETE', '/file_index', body)).toEqual(all);
    expect(await call(cluster.api, 'POST', '/file_index', body)).toEqual(all);
    expect(await call(cluster.api, 'POST', '/file_index', body)).toEqual({ entries: 0 });
    const { results } = await call<{ results: string[] }>(cluster.api, 'GET', '/file_index');
    expect(results).toEqual(pathsOf(files).sort());
  });

  test('moves nothing in a second run', async () => {
    const target = cluster.workers[0].id;
    const again = await runJob(cluster.api, 'rebalance', { target });
    expect(again).toMatchObject({
      state: 'SUCCEEDED',
      totalWorkers: 1,
      filesLoaded: 0,
      filesPruned: 0,
      filesFailed: 0,
    });
  });

  test('can be stopped by its target while its bandwidth limits it, resumed, and stopped by its id', async () => {
    await cluster.startWorker();
    const members = cluster.workers.map(({ id }) => id);
    const newcomer = cluster.workers[3];
    const body = { target: newcomer.id, options: { loadBandwidth: 1000 } };
    const { id } = await call<{ id: string }>(cluster.api, 'POST', '/rebalance', body);
    expect(await call(cluster.api, 'GET', `/rebalance?target=${newcomer.id}`)).toMatchObject({ id, state: 'RUNNING' });
    expect(await call(cluster.api, 'DELETE', '/rebalance', { target: newcomer.id })).toEqual({ status: 'ok' });
    expect(await jobEnd(cluster.api, 'rebalance', id)).toMatchObject({ id, state: 'STOPPED', filesPruned: 0 });
    const resumed = await cluster.api.request('POST', '/rebalance', { body });
    expect(resumed).toMatchObject({ status: 409, body: { id, resumed: true } });
    expect(await call(cluster.api, 'DELETE', '/rebalance', { id })).toEqual({ status: 'ok' });
    expect(await jobEnd(cluster.api, 'rebalance', id)).toMatchObject({ id, state: 'STOPPED' });
    expect(await heldByAny(cluster, pathsOf(files))).toEqual(new Set(pathsOf(files)));

    const availability = new Availability(cluster, pathsOf(files));
    expect(await runJob(cluster.api, 'rebalance', { target: 'ALL' })).toMatchObject({
      ...{ state: 'SUCCEEDED', totalWorkers: 4, filesFromUfs: 0, filesFailed: 0 },
    });
    await availability.stop();
    const after = await placement(members);
    expect(after.held).toEqual(after.wanted);
    expect(gets()).toBe(fetched);
  });

  test('moves copies away from a decommissioned worker whose process still runs', async () => {
    const leaving = cluster.workers[1];
    const leaver = leaving.id;
    await call(cluster.api, 'DELETE', `/nodes?id=${leaver}`);
    const members = cluster.workers.map(({ id }) => id).filter((id) => id !== leaver);
    await eventually(
      'the worker is not listed any more',
      async () => (await cluster.api.nodes()).length === members.length,
    );
    const availability = new Availability(cluster, pathsOf(files));
    const done = await runJob(cluster.api, 'rebalance', { target: 'ALL' });
    expect(done).toMatchObject({ state: 'SUCCEEDED', totalWorkers: 3, succeededWorkers: 3, filesFailed: 0 });
    expect(done).toMatchObject({ filesFromUfs: 0 });
    expect(done['filesLoaded']).toBeGreaterThan(0);
    await availability.stop();
    const after = await placement(members);
    expect(after.held).toEqual(after.wanted);
    expect(gets()).toBe(fetched);
    expect(leaving.process.running).toBe(true);
    await leaving.process.stop();
    expect(await heldByAny(cluster, pathsOf(files))).toEqual(new Set(pathsOf(files)));
  });
});
