import { readFileSync } from 'node:fs';
import path from 'node:path';
import { TrustRing, type VerifyKey } from '#contexts/trust/gate';
import { Names, parseEnvelope } from '#jetstream';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { clusterKeys, clusterSuite, eventually, FileTree, type WorkerHandle } from '#testing';
import { larder } from '../cli/support/run-larder.js';
import { refusal } from '../safe-start/support/log-loss.js';
import { mountsOf, quarantineOf } from './support/answers.js';

jest.setTimeout(180_000);

const names = new Names();
const [a, b] = ['a', 'b'].map((id, i) => ({ id, key: Buffer.alloc(32, i + 1) }));
const ringText = (keys: readonly VerifyKey[]) =>
  keys.map(({ id, key }) => `${id}:${Buffer.from(key).toString('base64')}`).join(',');
const publicText = (...keys: VerifyKey[]) => ringText(new TrustRing(keys).verifyKeys());

const identityOf = (worker: WorkerHandle) => readFileSync(path.join(worker.cacheDir, 'identity.json'), 'utf8');

const options = {
  coordinators: 2,
  workers: 0,
  env: { LARDER_SIGNING_KEYS: ringText([a]), LARDER_CHECKPOINT_MS: '500', LARDER_SNAPSHOT_EVERY: '20' },
  // A coordinator ends when it refuses its keys.
  processesMayEnd: true,
  testTimeoutMs: 180_000,
};

clusterSuite('key rotation', options, ({ cluster, test }) => {
  let nats: NatsConnection;
  let jsm: JetStreamManager;
  const identities: string[] = [];

  beforeAll(async () => {
    nats = await connect({ servers: cluster.nats.url });
    jsm = await nats.jetstreamManager();
    FileTree.create(path.join(cluster.directory, 'source'), { seed: 4, smallFiles: 20, smallMaxBytes: 100 });
    await cluster.api.mount('/data', `file://${path.join(cluster.directory, 'source')}`);
  });
  afterAll(() => nats?.close());

  /** Sets the keys of coordinators and workers. Workers never get a secret to sign with. */
  function give(which: 'coordinators' | 'workers', keys: { signing?: string; verify?: string }): void {
    for (const { process } of cluster[which]) {
      process.overrides['LARDER_SIGNING_KEYS'] = keys.signing;
      process.overrides['LARDER_VERIFY_KEYS'] = keys.verify;
    }
  }

  /** The key that signed the newest commit of a boundary. */
  async function signedWith(boundary: string): Promise<string | undefined> {
    const { data, seq } = await jsm.streams.getMessage(names.eventStream, {
      last_by_subj: names.eventSubject(boundary),
    });
    return parseEnvelope(data, seq).key;
  }

  async function loadAll(): Promise<void> {
    const id = await cluster.api.load({ paths: ['/data'], options: { skipIfExists: false } });
    expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 20, loadedFiles: 20 });
  }

  async function expectNoFault(keys: { signing?: string; verify?: string }): Promise<void> {
    const env = {
      ...clusterKeys,
      ...(keys.signing && { LARDER_SIGNING_KEYS: keys.signing }),
      ...(keys.verify && { LARDER_VERIFY_KEYS: keys.verify }),
    };
    const { code, stdout } = await larder(['audit', 'verify', '--nats', cluster.natsUrlFor('admin')], env);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no fault was found') as string,
    });
    expect(stdout).not.toMatch(/VOID|not verified/);
  }

  async function restartEach(handles: readonly { process: { restart(): Promise<void> } }[]): Promise<void> {
    for (const { process } of handles) await process.restart();
  }

  /** Checks that coordinators serve these mounts, that no message is void, and that workers keep their identities. */
  async function expectAllWell(mounted: readonly unknown[]): Promise<void> {
    for (const { api } of cluster.coordinators) {
      await cluster.untilOnline(2, api);
      expect(await mountsOf(api)).toEqual(mounted);
      expect(await quarantineOf(api)).toBeUndefined();
    }
    expect(cluster.workers.map(identityOf)).toEqual(identities);
  }

  /** Waits until a checkpoint covers the current log, except checkpoints. */
  async function untilCheckpointed(): Promise<void> {
    const checkpoints = names.eventSubject('checkpoint');
    let wanted = (await jsm.streams.info(names.eventStream)).state.last_seq;
    while ((await jsm.streams.getMessage(names.eventStream, { seq: wanted })).subject === checkpoints) wanted--;
    await eventually('a checkpoint covers the log', async () => {
      const { data, seq } = await jsm.streams.getMessage(names.eventStream, { last_by_subj: checkpoints });
      const [event] = parseEnvelope(data, seq).events as unknown as { data: { throughSequence: number } }[];
      return event.data.throughSequence >= wanted;
    });
  }

  test('workers with only public keys accept the batches of coordinators with the secret key', async () => {
    await cluster.prepareWorker();
    await cluster.prepareWorker();
    give('coordinators', { signing: ringText([a]) });
    give('workers', { verify: publicText(a) });
    for (const worker of cluster.workers) {
      await worker.process.start();
      await cluster.untilListed(worker);
      identities.push(identityOf(worker));
    }
    await loadAll();
    expect(await signedWith('namespace')).toBe('a');
    await expectNoFault({ signing: ringText([a]) });
  });

  test('a restarted worker keeps its id and its key, and its reports count', async () => {
    await restartEach(cluster.workers);
    await expectAllWell(await mountsOf(cluster.api));
    await loadAll();
    await expectNoFault({ verify: publicText(a) });
  });

  test('the new key signs beside the old one, and signatures of the old key stay valid', async () => {
    const before = await mountsOf(cluster.api);
    give('workers', { verify: publicText(a, b) });
    await restartEach(cluster.workers);
    give('coordinators', { signing: ringText([b, a]) });
    // The processes restart one after another, so both keys sign for a while.
    const [first, second] = cluster.coordinators;
    await first.process.restart();
    await first.api.mount('/by-b', `file://${cluster.directory}/by-b`);
    expect(await signedWith('namespace')).toBe('b');
    await second.process.kill9();
    await second.process.start();
    await cluster.untilOnline(2, second.api);
    expect((await mountsOf(second.api)).length).toBe(before.length + 1);
    await expectAllWell(await mountsOf(first.api));
    await loadAll();
    await expectNoFault({ signing: ringText([b, a]) });
  });

  test('the old secret can be removed after a checkpoint: its public half is enough for the history', async () => {
    await untilCheckpointed();
    const before = await mountsOf(cluster.api);
    const keys = { signing: ringText([b]), verify: publicText(a) };
    give('coordinators', keys);
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) await process.kill9();
    for (const { process } of [...cluster.coordinators, ...cluster.workers]) await process.start();
    await expectAllWell(before);
    await cluster.api.mount('/after', `file://${cluster.directory}/after`);
    await loadAll();
    await untilCheckpointed();
    await expectNoFault(keys);
  });

  test('a coordinator without any half of the first key of the log refuses to start and names the key', async () => {
    const [, { process }] = cluster.coordinators;
    await process.stop();
    process.overrides['LARDER_VERIFY_KEYS'] = undefined;
    expect(await refusal(process)).toContain('the log is signed with the key "a"');
  });
});
