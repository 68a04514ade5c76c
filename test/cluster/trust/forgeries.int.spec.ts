import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { OwnSigner, privateKeyOf } from '#contexts/trust/gate';
import { chainStart, messageDigest, Names, withSignature } from '#jetstream';
import { connect, type JetStreamClient, type JetStreamManager, type NatsConnection } from 'nats';
import { clusterKeys, clusterSuite, eventually, FileTree } from '#testing';
import { larder, larderWell } from '../cli/support/run-larder.js';

jest.setTimeout(180_000);

/** A stranger may write anywhere in NATS, but has none of the cluster's keys. */
const names = new Names();
const madeUp = new OwnSigner('coordinator-stranger', privateKeyOf(Buffer.alloc(32, 9)), 'test');

const options = { coordinators: 2, env: { LARDER_CHECKPOINT_MS: '500', LARDER_SNAPSHOT_EVERY: '20' } };

clusterSuite('a client of NATS without a key of the cluster', options, ({ cluster }) => {
  let directory: string;
  let stranger: NatsConnection;
  let js: JetStreamClient;
  let jsm: JetStreamManager;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'larder-forgeries-'));
    FileTree.create(path.join(directory, 'source'), { seed: 3, smallFiles: 20, smallMaxBytes: 100 });
    await cluster.api.mount('/data', `file://${path.join(directory, 'source')}`);
    stranger = await connect({ servers: cluster.nats.url });
    js = stranger.jetstream();
    jsm = await stranger.jetstreamManager();
  });
  afterAll(async () => {
    await stranger?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  interface Stored {
    sequence: number;
    data: Uint8Array;
  }

  async function lastOn(boundary: string): Promise<Stored | undefined> {
    const query = { last_by_subj: names.eventSubject(boundary) };
    const found = await jsm.streams.getMessage(names.eventStream, query).catch(() => undefined);
    return found && { sequence: found.seq, data: found.data };
  }

  /** Appends a message behind the last one of the boundary, like any writer. @returns its sequence */
  async function put(boundary: string, data: Uint8Array | string): Promise<number> {
    return (await js.publish(names.eventSubject(boundary), Buffer.from(data))).seq;
  }

  const event = (type: string, v: number, data: unknown) => ({
    id: randomUUID(),
    type,
    v,
    at: new Date().toISOString(),
    actor: 'coordinator:x',
    requestId: 'r',
    data,
  });

  /** A commit in the form of the cluster, without a signature. */
  async function forged(boundary: string, events: unknown[], more: Record<string, unknown> = {}): Promise<Buffer> {
    const last = await lastOn(boundary);
    const prev = last ? messageDigest(boundary, last.data) : chainStart;
    return Buffer.from(JSON.stringify({ id: randomUUID(), prev, ...more, events }));
  }

  const mounted = (at: string) =>
    event('Mounted', 1, { path: `${at}/`, ufs: `file://${directory}${at}/`, options: {} });

  /** The fields that a coordinator writes beside the events. They name the real key and the newest message of the log. */
  async function asCoordinator(): Promise<Record<string, unknown>> {
    const { seq, subject, data } = await jsm.streams.getMessage(names.eventStream, {
      last_by_subj: names.eventSubjects,
    });
    const digest = messageDigest(names.boundaryOf(subject), data).slice(0, 16);
    return { by: 'coordinator-stranger', key: 'test', seen: [seq, digest] };
  }

  const paths = async () => (await mountTable()).map(({ path: at }) => at).sort();

  async function mountTable(): Promise<{ path: string }[]> {
    const answers = await Promise.all(
      cluster.coordinators.map(async ({ api }) => JSON.stringify((await api.request('GET', '/mount')).body)),
    );
    // All coordinators must agree.
    expect(new Set(answers).size).toBe(1);
    return (JSON.parse(answers[0]) as { results: { path: string }[] }).results;
  }

  /** Checks that no process has ended or hangs, and that real commands still work, also on the forged boundary. */
  async function goesOn(name: string): Promise<void> {
    await cluster.api.mount(`/${name}`, `file://${directory}/${name}`);
    expect(await paths()).toContain(`/${name}/`);
    const id = await cluster.api.load({ paths: ['/data'], options: { skipIfExists: false } });
    expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 20, loadedFiles: 20 });
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) expect(process.running).toBe(true);
  }

  const voids: number[] = [];

  it.each([
    ['unsigned', async () => forged('namespace', [mounted('/forged-unsigned')])],
    [
      'unsigned with the wrong prev',
      async () => forged('namespace', [mounted('/forged-prev')], { prev: '0'.repeat(64) }),
    ],
    [
      'signed with a made-up key under the name of the real one',
      async () =>
        withSignature('namespace', await forged('namespace', [mounted('/forged-key')], await asCoordinator()), madeUp),
    ],
    [
      'signed with an unknown key',
      async () => {
        const more = { ...(await asCoordinator()), key: 'other' };
        return withSignature('namespace', await forged('namespace', [mounted('/forged-other')], more), madeUp);
      },
    ],
  ])('mounts nothing with a commit that is %s', async (what, message) => {
    voids.push(await put('namespace', await message()));
    await goesOn(`real-${createHash('sha1').update(what).digest('hex').slice(0, 6)}`);
    expect((await paths()).filter((at) => at.includes('forged'))).toEqual([]);
  });

  it.each(['namespace', 'log', 'membership', 'checkpoint', 'quota', `job.${randomUUID()}`, 'slot.load.abc'])(
    'stops no process with a message on %s that is not a commit',
    async (boundary) => {
      voids.push(await put(boundary, 'not json'));
      await goesOn(`after-${boundary.slice(0, 4).replace('.', '')}-${voids.at(-1)}`);
    },
  );

  it('restores nothing by sending an old commit again', async () => {
    await cluster.api.mount('/gone', `file://${directory}/gone`);
    const original = (await lastOn('namespace'))!;
    await cluster.api.request('DELETE', '/mount', { body: { path: '/gone' } });
    voids.push(await put('namespace', original.data), await put('membership', original.data));
    await goesOn('after-replay');
    expect(await paths()).not.toContain('/gone/');
  });

  it('submits no job and reports no batch', async () => {
    const jobs = async () => JSON.stringify((await cluster.api.request('GET', '/load')).body);
    const before = await jobs();
    const data = { kind: 'load', target: 'x', alias: 'a', spec: { options: {} } };
    const jobId = randomUUID();
    voids.push(
      await put('slot.load.forged', await forged('slot.load.forged', [event('JobSubmitted', 1, { jobId, ...data })])),
    );
    const [{ id: workerId }] = cluster.workers;
    const settled = {
      jobId,
      batchId: 'l0-x',
      workerId,
      epoch: 1,
      attempt: 1,
      counts: { loadedFiles: 9 },
      failures: [],
    };
    const boundary = `batch.${jobId}.${workerId}`;
    voids.push(await put(boundary, await forged(boundary, [event('BatchSettled', 1, settled)])));
    await cluster.api.mount('/after-job', `file://${directory}/after-job`);
    expect(await jobs()).toBe(before);
  });

  it('cannot give work to a worker', async () => {
    const [{ id: workerId, process: worker }] = cluster.workers;
    const jobId = randomUUID();
    const batch = { v: 1, jobId, kind: 'load', batchId: 'l0-x', pass: 'load', epoch: 1, attempt: 1, copy: 0 };
    const files = [['secret', 1, '']];
    const whole = { ...batch, namespaceSequence: 1, options: {}, root: 'file:///etc/', files };
    const { seq } = await js.publish(names.workSubject(workerId, jobId), JSON.stringify(whole));
    await eventually('the message is dropped', () => {
      return Promise.resolve(worker.log().includes(`"sequence":${seq}`) && worker.log().includes('was dropped'));
    });
    expect(await lastOn(`batch.${jobId}.${workerId}`)).toBeUndefined();
  });

  it('adds no worker with a heartbeat, and stops no coordinator', async () => {
    const heartbeat = {
      ...{ workerId: 'worker-forged', address: '127.0.0.1:1', bootId: 'b', capacityBytes: 1, usedBytes: 0, objects: 0 },
      ...{ version: '0', running: [], logMark: { logId: 'another', sequence: 1_000_000 } },
    };
    stranger.publish(names.workerHeartbeat('worker-forged'), JSON.stringify(heartbeat));
    await stranger.flush();
    await goesOn('after-heartbeat');
    expect((await cluster.api.nodes()).map(({ identity }) => identity)).not.toContain('worker-forged');
  });

  it('is reported by /readyz and the audit, and has no effect after a restart of all processes', async () => {
    const before = await paths();
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) await process.kill9();
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) await process.start();
    await cluster.untilOnline(cluster.workers.length, cluster.api);
    expect(await paths()).toEqual(before);
    const ready = (await (await fetch(new URL('/readyz', cluster.api.baseUrl))).json()) as {
      quarantine?: { count: number };
    };
    expect(ready.quarantine).toMatchObject({ count: voids.length, unacknowledged: voids.length });

    const at = ['--nats', cluster.natsUrlFor('admin')];
    const found = await larder(['audit', 'verify', ...at], clusterKeys);
    expect(found.code).toBe(1);
    for (const sequence of voids) expect(found.stdout).toContain(`VOID at ${sequence} `);
    expect(await larderWell(['audit', 'void', ...at, '--reason', 'a test'], clusterKeys)).toContain('recorded as void');
    expect(await larderWell(['audit', 'verify', ...at], clusterKeys)).toContain('no fault was found');
    await goesOn('after-all');
  });

  it('the audit reports a fault for a recorded root behind the end of the log', async () => {
    const at = ['--nats', cluster.natsUrlFor('admin'), '--anchor', `1000000:${'0'.repeat(64)}`];
    const { code, stdout } = await larder(['audit', 'verify', ...at], clusterKeys);
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('removed') as string });
  });
});
