import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterSuite, eventually, type ManagedProcess, type TestCluster } from '#testing';
import {
  exitCode,
  markOf,
  mounts,
  mountSome,
  NatsData,
  refusal,
  untilWorkerIsReady,
  untilWorkerRefuses,
  workerReadiness,
  writeMark,
} from './support/log-loss.js';

const options = {
  workers: 1,
  env: { LARDER_LOG_GRACE_MS: '2000', LARDER_DRAIN_MS: '0' },
  clusterPer: 'test',
  processesMayEnd: true,
  testTimeoutMs: 120_000,
} as const;

clusterSuite('a log that differs from the log seen before', options, ({ cluster, test }) => {
  async function stopAll({ workers, coordinators, nats }: TestCluster): Promise<void> {
    for (const { process } of [...workers, ...coordinators]) await process.stop();
    await nats.kill9();
  }

  test('processes with a mark refuse an empty log after NATS was wiped, until the operator accepts the old log by its id', async () => {
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0]];
    const ownMark = join(cluster.directory, 'coordinator-mark.json');
    coordinator.overrides['LARDER_LOG_MARK'] = ownMark;
    await coordinator.stop();
    await coordinator.start();
    await mountSome(cluster, 'before');
    await stopAll(cluster);
    const seen = await markOf(worker);
    expect(seen.sequence).toBeGreaterThanOrEqual(6);
    const own = JSON.parse(await readFile(ownMark, 'utf8')) as { logId: string; sequence: number };
    expect(own.logId).toBe(seen.logId);
    expect(own.sequence).toBeGreaterThanOrEqual(seen.sequence);
    await new NatsData(cluster).wipe();
    await cluster.nats.restart();

    // The coordinator refuses by its own mark while no worker runs.
    const bySelf = await refusal(coordinator);
    expect(bySelf).toContain('NATS holds an empty log, but this coordinator');
    expect(bySelf).toContain(`belongs to the log ${own.logId} and has seen it up to ${own.sequence}.`);

    // Without a mark of its own, the coordinator refuses by the worker's mark.
    coordinator.overrides['LARDER_LOG_MARK'] = undefined;
    worker.process.launch();
    const says = await untilWorkerRefuses(worker);
    expect(says).toContain(`this worker belongs to the log ${seen.logId}`);
    const byWorker = await refusal(coordinator);
    expect(byWorker).toContain(`worker ${worker.id} at `);
    const known = await markOf(worker);
    expect(byWorker).toContain('larder restore');
    expect(byWorker).toContain(`LARDER_ACCEPT_LOG=${known.logId}:${known.sequence}`);

    // A wrong sequence or another log id does not accept the loss.
    coordinator.overrides['LARDER_ACCEPT_LOG'] = `${known.logId}:${known.sequence + 1}`;
    expect(await refusal(coordinator)).toContain('belongs to the log');

    coordinator.overrides['LARDER_ACCEPT_LOG'] = `${known.logId}:${known.sequence}`;
    await coordinator.start();
    await untilWorkerIsReady(worker);
    await cluster.untilListed(worker);
    await mountSome(cluster, 'after', 2);
    expect(await mounts(cluster)).not.toContain('before');
    await worker.process.stop();
    const after = await markOf(worker);
    expect(after.logId).not.toBe(seen.logId);

    // The setting accepts no further loss if it stays on.
    await stopAll(cluster);
    await new NatsData(cluster).wipe();
    await cluster.nats.restart();
    worker.process.launch();
    expect(await refusal(coordinator)).toContain(`belongs to the log ${after.logId}`);
    await untilWorkerRefuses(worker);
  });

  test('processes refuse an older copy of NATS’ data, and continue when the newer data is back', async () => {
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0]];
    const data = new NatsData(cluster);
    await mountSome(cluster, 'early');
    await stopAll(cluster);
    await data.copyTo('old');
    await cluster.nats.restart();
    await worker.process.start();
    await coordinator.start();
    await mountSome(cluster, 'late');
    await stopAll(cluster);
    const seen = await markOf(worker);
    await data.replaceBy('old', 'new');
    await cluster.nats.restart();

    worker.process.launch();
    const said = await refusal(coordinator);
    expect(said).toContain(`the log ${seen.logId} ends at sequence `);
    expect(said).toContain(`but worker ${worker.id} at `);
    expect(said).toContain(`has seen it up to ${seen.sequence}.`);
    expect(await untilWorkerRefuses(worker)).toContain(`but this worker has seen it up to ${seen.sequence}`);

    await cluster.nats.kill9();
    await data.replaceBy('new', 'rejected');
    await cluster.nats.restart();
    await untilWorkerIsReady(worker);
    await coordinator.start();
    await cluster.untilListed(worker);
    const list = await mounts(cluster);
    for (const path of ['/early0', '/late4']) expect(list).toContain(path);
  });

  test('the cluster continues from an older copy that the operator accepts by its id, and all marks agree', async () => {
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0]];
    const data = new NatsData(cluster);
    await mountSome(cluster, 'early');
    await stopAll(cluster);
    await data.copyTo('old');
    await cluster.nats.restart();
    await worker.process.start();
    await coordinator.start();
    await mountSome(cluster, 'late');
    await stopAll(cluster);
    const seen = await markOf(worker);
    await data.replaceBy('old', 'new');
    await cluster.nats.restart();
    worker.process.launch();
    await untilWorkerRefuses(worker);
    coordinator.overrides['LARDER_ACCEPT_LOG'] = `${seen.logId}:${seen.sequence}`;
    await coordinator.start();
    await untilWorkerIsReady(worker);
    await cluster.untilListed(worker);
    const list = await mounts(cluster);
    expect(list).toContain('/early0');
    expect(list).not.toContain('/late');
    coordinator.overrides['LARDER_ACCEPT_LOG'] = undefined;
    await worker.process.stop();
    expect((await markOf(worker)).logId).not.toBe(seen.logId);
    // A worker whose mark still names the lost log agrees, too.
    await writeMark(worker, { logId: seen.logId, sequence: seen.sequence + 50 });
    await coordinator.stop();
    await coordinator.start();
    await worker.process.start();
    await cluster.untilListed(worker);
  });

  test('when the log loses its end, a running coordinator stops and a running worker waits for the end to come back', async () => {
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0]];
    const data = new NatsData(cluster);
    await mountSome(cluster, 'early');
    await cluster.nats.kill9();
    await data.copyTo('old');
    await cluster.nats.restart();
    await untilWorkerKnows(cluster, await mountSome(cluster, 'late'));
    await cluster.nats.kill9();
    await data.replaceBy('old', 'new');
    await cluster.nats.restart();
    expect(await refusal(coordinator)).toContain('has already been read');
    // The code is not 78: a supervisor starts the coordinator again, which then reports the cause.
    expect(await exitCode(worker.process)).toBe(1);
    worker.process.launch();
    expect(await untilWorkerRefuses(worker)).toContain('but this worker has seen it up to');
    expect(await refusal(coordinator)).toContain(`worker ${worker.id} at `);
  });

  test('a running coordinator ends when a worker joins that has seen more of the log', async () => {
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0]];
    await worker.process.stop();
    const { logId, sequence } = await markOf(worker);
    await writeMark(worker, { logId, sequence: sequence + 1000 });
    worker.process.launch();
    expect(await refusal(coordinator)).toContain(`has seen it up to ${sequence + 1000}.`);
    expect(coordinator.log()).toContain('coordinator ready');
  });

  test('a worker of another log is not admitted and disturbs no other process', async () => {
    const { process: coordinator } = cluster.coordinators[0];
    const stray = await cluster.prepareWorker();
    await writeMark(stray, { logId: 'another-log', sequence: 1_000_000 });
    stray.process.launch();
    expect(await untilWorkerRefuses(stray)).toContain('this worker belongs to the log another-log');
    const notAdmitted = new RegExp(`"level":"error".*worker ${stray.id} at .* is not admitted to this cluster`);
    await untilLogged(coordinator, notAdmitted);
    const members = async () => (await cluster.api.nodes()).map(({ identity }) => identity);
    expect(await members()).toEqual([cluster.workers[0].id]);
    const [path] = await mountSome(cluster, 'served', 1);
    const id = await cluster.api.load({ paths: [path] });
    expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED' });
    // A coordinator can still start while that worker runs.
    await coordinator.stop();
    await coordinator.start();
    await cluster.untilListed(cluster.workers[0]);
    expect(await members()).toEqual([cluster.workers[0].id]);
    expect((await workerReadiness(stray)).status).toBe(503);
    // The worker has not replaced its mark with this log.
    expect(await markOf(stray)).toEqual({ logId: 'another-log', sequence: 1_000_000 });
  });
});

/** A worker loads only after it has read the log up to the mount. It may need a while to connect again. */
async function untilWorkerKnows(cluster: TestCluster, paths: string[]): Promise<void> {
  for (const path of paths) await writeFile(join(cluster.directory, 'ufs', path, 'file'), 'content');
  const id = await cluster.api.load({ paths });
  expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: paths.length });
}

async function untilLogged(process: ManagedProcess, pattern: RegExp): Promise<void> {
  await eventually(`${process.name} says ${pattern}`, () => pattern.test(process.log()));
}
