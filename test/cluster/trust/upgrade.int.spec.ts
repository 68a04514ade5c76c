import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { chainStart, messageDigest, Names, parseEnvelope } from '#jetstream';
import { clusterKeys, clusterSuite, eventually, FileTree, openTestLog, projectRoot } from '#testing';
import { larder, larderWell } from '../cli/support/run-larder.js';
import { NatsData } from '../safe-start/support/log-loss.js';
import { mountsOf, quarantineOf } from './support/answers.js';

jest.setTimeout(180_000);

interface Line {
  sequence: number;
  boundary: string;
  events: { id: string; type: string; data: Record<string, unknown> }[];
}

interface Expected {
  log: { state: { logId: string } };
  namespace: { state: { mounts: { path: string; ufs: string }[] } };
  membership: { state: { workers: Record<string, { workerId: string; status: string }> } };
  progress: { id: string; state: string; loadedFiles: number }[];
}

const histories = path.join(projectRoot(), 'test/histories');
const lines = readFileSync(path.join(histories, 'v0.2.0.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Line);
const expected = JSON.parse(readFileSync(path.join(histories, 'v0.2.0.expected.json'), 'utf8')) as Expected;
const names = new Names();

const options = {
  workers: 0,
  env: { LARDER_CHECKPOINT_EVERY: '20', LARDER_CHECKPOINT_MS: '500' },
  testTimeoutMs: 180_000,
};

clusterSuite('a log of version 0.2', options, ({ cluster, test }) => {
  /** A worker of the recorded history that is still a member. */
  let workerId: string;

  beforeAll(async () => {
    // Today's streams hold the log of version 0.2 byte by byte, and nothing else.
    const [{ process: coordinator }] = cluster.coordinators;
    await coordinator.stop();
    await cluster.nats.kill9();
    await new NatsData(cluster).wipe();
    await cluster.nats.restart();
    await writeAs02();
    workerId = Object.values(expected.membership.state.workers).find(({ status }) => status === 'online')!.workerId;
  });

  /** Version 0.2 chained its commits and signed none. Its checkpoints prove that these are its bytes. */
  async function writeAs02(): Promise<void> {
    const log = await openTestLog(cluster.nats.url);
    const heads = new Map<string, string>();
    try {
      for (const { boundary, events } of lines) {
        const prev = heads.get(boundary) ?? chainStart;
        const data = Buffer.from(JSON.stringify({ id: events[0].id, prev, events }));
        heads.set(boundary, messageDigest(boundary, data));
        await log.link.js.publish(names.eventSubject(boundary), data);
      }
    } finally {
      await log.close();
    }
  }

  async function signingBegan(): Promise<{ sequence: number; signed: boolean }[]> {
    const found: { sequence: number; signed: boolean }[] = [];
    const log = await openTestLog(cluster.nats.url);
    try {
      for await (const { sequence, data } of log.store.readMessages('log')) {
        const { events, key } = parseEnvelope(data, sequence);
        if (events.some(({ type }) => type === 'SigningBegan')) found.push({ sequence, signed: key !== undefined });
      }
    } finally {
      await log.close();
    }
    return found;
  }

  const verify = () => larder(['audit', 'verify', '--nats', cluster.natsUrlFor('admin'), '--keys'], clusterKeys);

  test('before the upgrade an audit finds an unsigned log that checkpoints prove', async () => {
    const text = await larderWell(['audit', 'verify', '--nats', cluster.natsUrlFor('admin'), '--keys'], clusterKeys);
    expect(text).toContain(`${lines.length} messages`);
    expect(text).toContain('by 3 checkpoints (signed)');
    expect(await signingBegan()).toEqual([]);
  });

  test('a coordinator of this version serves its state and requires signatures from then on', async () => {
    const [{ api, process: coordinator }] = cluster.coordinators;
    await coordinator.start();
    const recorded = expected.namespace.state.mounts.map(({ path: at, ufs }) => ({ path: at, ufs }));
    expect((await mountsOf(api)).map(({ path: at, ufs }) => ({ path: at, ufs }))).toEqual(recorded);
    const loads = expected.progress.filter((one) => 'loadedFiles' in one);
    expect(loads.length).toBeGreaterThan(0);
    for (const { id, state, loadedFiles } of loads)
      expect(await api.progress(id)).toMatchObject({ state, loadedFiles });
    expect(await signingBegan()).toEqual([{ sequence: lines.length + 1, signed: true }]);
    expect(await quarantineOf(api)).toBeUndefined();
  });

  test('a worker of 0.2 joins under its id with a new key, and does batches', async () => {
    const { api } = cluster;
    const worker = await cluster.prepareWorker();
    mkdirSync(worker.cacheDir, { recursive: true, mode: 0o700 });
    const identity = path.join(worker.cacheDir, 'identity.json');
    writeFileSync(identity, `${JSON.stringify({ workerId })}\n`, { mode: 0o600 });
    await worker.process.start();
    await cluster.untilListed(worker);
    expect(worker.id).toBe(workerId);
    expect(JSON.parse(readFileSync(identity, 'utf8'))).toMatchObject({
      workerId,
      signingKey: expect.any(String) as string,
    });
    FileTree.create(path.join(cluster.directory, 'source'), { seed: 5, smallFiles: 15, smallMaxBytes: 100 });
    await api.mount('/new', `file://${path.join(cluster.directory, 'source')}`);
    const id = await api.load({ paths: ['/new'] });
    expect(await api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 15 });
  });

  test('an audit finds no fault before, at and after the first signed commit', async () => {
    await eventually('a checkpoint of this version covers the log', async () => {
      const proven = /proven through (\d+) by/.exec((await verify()).stdout)?.[1];
      return Number(proven) > lines.length + 1;
    });
    const { code, stdout } = await verify();
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no fault was found') as string,
    });
    expect(stdout).not.toContain('VOID');
  });

  test('an unsigned message after the upgrade is void, also after a restart of all processes', async () => {
    const { api } = cluster;
    const before = await mountsOf(api);
    const log = await openTestLog(cluster.nats.url);
    const subject = names.eventSubject('namespace');
    const last = await log.link.jsm.streams.getMessage(names.eventStream, { last_by_subj: subject });
    const mounted = {
      ...{ id: randomUUID(), type: 'Mounted', v: 1, at: new Date().toISOString(), actor: 'anonymous', requestId: 'r' },
      data: { path: '/unsigned/', ufs: 'file:///tmp/unsigned/', options: {} },
    };
    const prev = messageDigest('namespace', last.data);
    const data = JSON.stringify({ id: mounted.id, prev, events: [mounted] });
    const { seq } = await log.link.js.publish(subject, data);
    await log.close();
    await eventually('the message is reported as void', async () => (await quarantineOf(api))?.count === 1);
    expect(await mountsOf(api)).toEqual(before);
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) await process.restart();
    await cluster.untilOnline(1);
    expect(await mountsOf(api)).toEqual(before);
    expect(await quarantineOf(api)).toMatchObject({ count: 1, unacknowledged: 1 });
    const found = await verify();
    expect(found.code).toBe(1);
    expect(found.stdout).toContain(`VOID at ${seq} on namespace: not signed`);
    expect(found.stdout).not.toContain('FAULT');
  });
});
