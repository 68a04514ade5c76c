import { randomUUID } from 'node:crypto';
import { loadConfig } from '#config';
import { Presence } from '#contexts/jobs/owner';
import { coordinatorKeys, LogTrust } from '#contexts/trust/gate';
import { Broadcasts, EventCodec, EventStore, SnapshotStore } from '#jetstream';
import { type EventCatalogue, type View } from '#kernel';
import { Heartbeats, Recorder, Shutdown, Views } from '#runtime';
import {
  availableNatsVersions,
  note,
  noted,
  openTestLog,
  startTestNats,
  until,
  type TestLog,
  type TestNats,
} from '#testing';
import { LogVerifier } from '../audit/index.js';
import { checkpointBoundary, checkpointEvents, logView, type LogCheckpointedData } from '../index.js';
import { CheckpointWriter, maxVoidRanges } from './checkpoint-writer.js';

jest.setTimeout(60_000);

const catalogue: EventCatalogue = { ...noted, ...checkpointEvents };
const secretKeys = `k1:${Buffer.alloc(32, 7).toString('base64')}`;

describe.each(availableNatsVersions())('checkpoints on nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;
  let closing: (() => Promise<void> | void)[];

  beforeEach(async () => {
    nats = await startTestNats({ version });
    log = await openTestLog(nats.url, { catalogue });
    closing = [];
  });
  afterEach(async () => {
    for (const close of closing) await close();
    await log?.close();
    await nats?.stop();
  });

  /** The checkpoint writer of a coordinator. It hears no other coordinator, so it is the one that writes. */
  async function startWriter(env: Record<string, string>): Promise<{ views: Views; looks: () => number }> {
    const config = loadConfig({ LARDER_NATS_URL: nats.url, LARDER_SECRET_KEYS: secretKeys, ...env }, 'coordinator');
    const own = await openTestLog(nats.url, { catalogue });
    const codec = new EventCodec([catalogue]);
    const store = new EventStore(own.link, own.names, codec);
    const trust = new LogTrust(store, { codec, ring: coordinatorKeys(config) });
    const views = await Views.open({
      openGate: (stored, strict) => trust.openGate(stored, strict),
      link: own.link,
      names: own.names,
      codec,
      store,
      snapshots: new SnapshotStore(own.link, own.names),
      views: [logView] as unknown as View<never>[],
      snapshotEvery: 1_000_000,
      mayWriteSnapshot: () => false,
      log: () => undefined,
      onFatal: (error) => {
        throw error;
      },
    });
    await views.becomeReady();
    const heartbeats = new Heartbeats(`c-${randomUUID()}`, own.link, new Broadcasts(own.link), own.names);
    const presence = new Presence(heartbeats, new Shutdown(), config);
    const writer = new CheckpointWriter(views, store, presence, new Recorder(catalogue), heartbeats, trust, config);
    const read = jest.spyOn(views, 'get');
    writer.onApplicationBootstrap();
    closing.push(async () => {
      await writer.onModuleDestroy();
      views.close();
      await own.close();
    });
    return { views, looks: () => read.mock.calls.length };
  }

  const append = async (count: number) => {
    for (let i = 0; i < count; i++) await log.store.appendFact(`notes.${i % 3}`, randomUUID(), [note(`${i}`)]);
  };

  async function checkpoints(): Promise<LogCheckpointedData[]> {
    const found: LogCheckpointedData[] = [];
    for await (const { events } of log.store.readBoundary(checkpointBoundary.name)) {
      found.push(...events.map(({ data }) => data as LogCheckpointedData));
    }
    return found;
  }

  async function verdict() {
    const keys = [{ id: 'k1', key: Buffer.alloc(32, 7) }];
    const verifier = new LogVerifier({ firstSequence: 1, keys });
    for await (const message of log.store.readMessages()) verifier.add(message);
    return verifier.finish();
  }

  it('are written after so many messages, each going on where the last one ended, and prove the log', async () => {
    await startWriter({ LARDER_CHECKPOINT_EVERY: '10', LARDER_CHECKPOINT_MS: '86400000' });
    await append(45);
    await until(async () => (await checkpoints()).length >= 3);
    const found = await checkpoints();
    found.forEach((one, i) => expect(one.fromSequence).toBe(i === 0 ? 1 : found[i - 1].throughSequence + 1));
    const { fault, unknownKeys, provenThrough } = await verdict();
    expect({ fault, unknownKeys, provenThrough }).toEqual({
      fault: undefined,
      unknownKeys: [],
      provenThrough: found.at(-1)!.throughSequence,
    });
  });

  it('are written some time after the last messages, and not again while nothing happens', async () => {
    const { views, looks } = await startWriter({ LARDER_CHECKPOINT_EVERY: '1000', LARDER_CHECKPOINT_MS: '100' });
    await append(5);
    const covered = () => (views.get(logView).checkpoint?.throughSequence ?? 0) >= views.get(logView).newestSequence;
    await until(covered);
    const { lastSequence } = await log.store.info();
    // Wait for many more checks than a message may stay uncovered.
    const lookedAt = looks();
    await until(() => looks() > lookedAt + 60);
    expect((await log.store.info()).lastSequence).toBe(lastSequence);
    await append(1);
    await until(() => covered() && views.get(logView).newestSequence > lastSequence);
    expect((await verdict()).fault).toBeUndefined();
  });

  it('name void messages as long as one message has room for them, and are also written after that', async () => {
    const readable = log.codec.encode({ commitId: 'c', events: [note('readable')] });
    const put = (data: Uint8Array | string) => log.link.js.publish(log.names.eventSubject('notes.1'), data);
    const { views } = await startWriter({ LARDER_CHECKPOINT_EVERY: '10000', LARDER_CHECKPOINT_MS: '100' });
    /** Appends junk between valid messages. @returns the newest checkpoint, which covers them */
    const flood = async (count: number) => {
      let last = 0;
      for (let left = count; left > 0; left -= 500) {
        const pairs = Array.from({ length: Math.min(left, 500) }, () => [put('junk'), put(readable)]);
        last = (await Promise.all(pairs.flat())).at(-1)!.seq;
      }
      await until(() => (views.get(logView).checkpoint?.throughSequence ?? 0) >= last);
      return (await checkpoints()).at(-1)!;
    };
    expect((await flood(3)).void).toHaveLength(3);
    expect(await flood(maxVoidRanges)).not.toHaveProperty('void');
  });

  it('are written once when two coordinators try at the same time', async () => {
    const env = { LARDER_CHECKPOINT_EVERY: '5', LARDER_CHECKPOINT_MS: '100' };
    const both = [await startWriter(env), await startWriter(env)];
    await append(60);
    await until(() => both.every(({ views }) => (views.get(logView).checkpoint?.throughSequence ?? 0) >= 60));
    const found = await checkpoints();
    found.forEach((one, i) => expect(one.fromSequence).toBe(i === 0 ? 1 : found[i - 1].throughSequence + 1));
    expect((await verdict()).fault).toBeUndefined();
  });

  it('catch up with a log that has none, and go on when NATS comes back', async () => {
    await append(20);
    const { views } = await startWriter({ LARDER_CHECKPOINT_EVERY: '1000', LARDER_CHECKPOINT_MS: '100' });
    await until(() => (views.get(logView).checkpoint?.throughSequence ?? 0) >= 20);
    await nats.restart();
    await append(3);
    await until(() => (views.get(logView).checkpoint?.throughSequence ?? 0) >= views.get(logView).newestSequence);
    expect((await verdict()).fault).toBeUndefined();
  });
});
