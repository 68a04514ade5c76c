import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsConnection } from 'nats';
import { startNatsServer } from '#nats-server';
import { type ApiClient, eventually, FileTree, freePorts, natsServerBinary, standaloneSuite, untilLed } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';
import { Writers } from './support/writers.js';

/** Time limit of one answer while NATS elects a leader: a little longer than an election. */
const longestAnswerMs = 15_000;

const three = { coordinators: 3, workers: 3, natsServers: 3, balancer: true } as const;
// Small batches, one after another: a load takes long enough to kill a server during it.
const slow = { LARDER_BATCH_SIZE: '10', LARDER_BATCH_WINDOW: '4', LARDER_WORKER_BATCHES: '1' };

standaloneSuite('npm run cluster', { ...three, env: slow }, ({ cluster, test }) => {
  let nc: NatsConnection;
  let tree: FileTree;

  beforeAll(async () => {
    tree = FileTree.create(join(cluster.directory, 'source'), { seed: 4, smallFiles: 6_000 });
    nc = await cluster.connectNats();
  });
  afterAll(() => nc?.close());

  test('starts three of each process behind a balancer, with the log on all three nats-servers', async () => {
    expect(await cluster.api.isReady()).toBe(true);
    for (const api of cluster.coordinators) expect(await api.isReady()).toBe(true);
    await eventually('three workers are ONLINE', async () => (await cluster.api.nodes()).length === 3);
    for (const stream of ['larder-evt', 'larder-work', 'OBJ_larder-snapshots']) {
      const { config, cluster: peers } = await untilLed(nc, stream, (info) => info);
      expect(config.num_replicas).toBe(3);
      expect([peers!.leader, ...peers!.replicas!.map(({ name }) => name)].sort()).toEqual([
        'nats-1',
        'nats-2',
        'nats-3',
      ]);
    }
    const said = cluster.process.log();
    expect(said).toContain(`Larder is up: ${cluster.api.baseUrl}/api/v1, a balancer before the coordinators`);
    for (const { baseUrl } of cluster.coordinators) expect(said).toContain(`${baseUrl}/api/v1`);
    for (const name of ['nats-1', 'nats-2', 'nats-3']) expect(said).toContain(`process ${natsPid(name)} on port`);
  });

  test('refuses a nats-server without the password', async () => {
    const storeDir = mkdtempSync(join(tmpdir(), 'larder-stray-'));
    const [port, routePort] = await freePorts(2);
    const routes = cluster.natsPorts().map((place) => `nats-route://127.0.0.1:${place.routePort}`);
    const stop = new AbortController();
    const { binary } = natsServerBinary();
    const place = { name: 'larder', serverName: 'stray', port: routePort, routes };
    const started = startNatsServer({ binary, storeDir, port, cluster: place, signal: stop.signal });
    started.catch(() => undefined);
    await eventually('each of the three has refused it', () =>
      [1, 2, 3].every((n) => /authentication error|authorization violation/i.test(cluster.logOf(`nats-server-${n}`))),
    );
    expect(nc.info!.connect_urls!.some((url) => url.endsWith(`:${port}`))).toBe(false);
    stop.abort();
    await expect(started).rejects.toThrow('called off');
    rmSync(storeDir, { recursive: true, force: true });
  });

  test('fault 4: continues after a pause when the leader of the log is killed during a load', async () => {
    await cluster.api.mount('/source', tree.fileRoot);
    const id = await cluster.api.load({ paths: ['/source'] });
    await eventually('the load is under way', async () => (await cluster.api.progress(id)).loadedFiles > 0);
    const writers = new Writers(cluster.api, `file://${cluster.directory}/`, 3);
    await eventually('something was written', () => writers.acknowledged.length > 10);
    const { leader } = (await untilLed(nc, 'larder-evt', (info) => info)).cluster!;
    const pid = natsPid(leader!);
    const killedAtMs = performance.now();
    process.kill(pid, 'SIGKILL');
    // The pause ends with the first write that was sent and acknowledged after the kill.
    const first = await eventually('writes go on', () => writers.acknowledgedSince(killedAtMs + 50).at(0), {
      everyMs: 5,
    });
    const seenAfterMs = await Promise.all(cluster.coordinators.map((api) => untilSeen(api, first.path)));
    const pauseMs = first.answeredAtMs - killedAtMs;
    console.log(
      `writes paused for ${Math.round(pauseMs)} ms; views had them ${seenAfterMs.map(Math.round).join(', ')} ms later`,
    );
    expect(Math.max(...seenAfterMs)).toBeLessThan(2_500);
    await eventually('the killed one is back', () => natsPid(leader!) !== pid);

    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: tree.fileCount, failedFiles: 0 });
    expectCountsToAddUp(done, { files: tree.fileCount, bytes: tree.totalBytes });
    await writers.stop();
    expect(new Set(writers.writes.map(({ status }) => status))).toEqual(
      new Set(writers.writes.some(({ status }) => status === 503) ? [200, 503] : [200]),
    );
    expect(Math.max(...writers.writes.map((one) => one.answeredAtMs - one.sentAtMs))).toBeLessThan(longestAnswerMs);
    await expectMounts(writers);
  });

  test('continues with the same state on the same NATS ports after a stop and a start', async () => {
    const [jobs, mounts, ports] = [await everyJob(), await mountPaths(cluster.api), cluster.natsPorts()];
    await nc.close();
    const stoppedAtMs = performance.now();
    expect(await cluster.process.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAtMs).toBeLessThan(6_000);
    await cluster.process.start();
    expect(cluster.natsPorts()).toEqual(ports);
    expect(await everyJob()).toEqual(jobs);
    for (const api of [cluster.api, ...cluster.coordinators]) expect(await mountPaths(api)).toEqual(mounts);
    const again = await cluster.api.load({ paths: ['/source'], options: { skipIfExists: true } });
    const done = await cluster.api.waitForJob(again);
    expect(done).toMatchObject({ state: 'SUCCEEDED', skippedFiles: tree.fileCount, loadedFiles: 0 });
  });

  /** @param name as in the stream information: `nats-2` */
  const natsPid = (name: string) => cluster.pids()[name.replace('nats', 'nats-server')];

  /** @returns milliseconds until a coordinator shows a mount in an answer that is not stale */
  async function untilSeen(api: ApiClient, path: string): Promise<number> {
    const since = performance.now();
    await eventually(
      `${api.baseUrl} shows ${path}`,
      async () => {
        const { status, headers } = await api.request('GET', `/mount?path=${path}`);
        return status === 200 && headers['x-larder-stale'] === undefined;
      },
      { everyMs: 20 },
    );
    return performance.now() - since;
  }

  /** Checks that every acknowledged mount exists, and no mount that the test did not request. */
  async function expectMounts(writers: Writers): Promise<void> {
    for (const api of cluster.coordinators) {
      const there = new Set(await mountPaths(api));
      expect(writers.acknowledged.filter(({ path }) => !there.has(path))).toEqual([]);
      const asked = new Set(['/source', ...writers.writes.map(({ path }) => path)]);
      expect([...there].filter((path) => !asked.has(path))).toEqual([]);
    }
  }

  async function mountPaths(api: ApiClient): Promise<string[]> {
    const { body } = await api.request<{ results: { path: string }[] }>('GET', '/mount');
    return body.results.map(({ path }) => path.replace(/\/$/, '')).sort();
  }

  async function everyJob(): Promise<unknown> {
    return (await cluster.api.request('GET', '/load')).body;
  }
});
