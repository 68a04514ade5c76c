import { randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip, gunzipSync, gzipSync } from 'node:zlib';
import { type EventCatalogue } from '#kernel';
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
import { EventCodec, EventStore, Names, type StoredCommit } from '#jetstream';
import { logEvents, type LogEvent } from '../index.js';
import { BackupFile, restoreBackup, writeBackup, type RestoreOptions } from './index.js';

jest.setTimeout(120_000);

const catalogue: EventCatalogue = { ...noted, ...logEvents };
const context = { v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r' };
const record = (events: readonly LogEvent[]) => events.map((event) => ({ id: randomUUID(), ...context, ...event }));

describe.each(availableNatsVersions())('a backup of a log on nats-server %s', (version) => {
  let nats: TestNats;
  let original: TestLog;
  let directory: string;
  let file: string;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'larder-backup-'));
    file = path.join(directory, 'log.gz');
    nats = await startTestNats({ version });
    original = await openTestLog(nats.url, { catalogue });
    await original.store.append('log', 0, record([{ type: 'LogStarted', data: { logId: 'original' } }]));
    // The bytes of a message need not be well formed.
    await original.link.js.publish(original.names.eventSubject('odd.1'), Buffer.from([0xff, 0x00, 0xfe]));
    await Promise.all(
      Array.from({ length: 700 }, (_, i) => original.store.appendFact(`many.${i % 7}`, `${i}`, [note(`é ${i}`)])),
    );
  });
  afterAll(async () => {
    await original?.close();
    await nats?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const write = (to: string, log: TestLog = original) =>
    writeBackup({
      store: log.store,
      cluster: 'larder',
      natsVersion: version,
      file: to,
      now: new Date(0).toISOString(),
    });

  /** The store of another cluster in the same NATS. Its streams do not exist yet. */
  function emptyCluster(cluster: string): Omit<RestoreOptions, 'file'> {
    const names = new Names(cluster);
    const store = new EventStore(original.link, names, new EventCodec([catalogue]));
    return { link: original.link, names, store, replicas: 1, logId: `${cluster}-log`, record, acceptFaults: true };
  }

  async function contents(store: EventStore): Promise<StoredCommit[]> {
    const all: StoredCommit[] = [];
    for await (const message of store.readMessages()) all.push(message);
    return all;
  }

  it('holds the whole log and describes it', async () => {
    const { count, root, header } = await write(file);
    expect(header).toMatchObject({
      cluster: 'larder',
      firstSequence: 1,
      lastSequence: 702,
      mark: { logId: 'original', sequence: 702 },
    });
    expect({ count, root }).toMatchObject(await BackupFile.check(file).then(({ count, root }) => ({ count, root })));
    const messages: unknown[] = [];
    for await (const message of (await BackupFile.open(file)).messages()) messages.push(message);
    expect(messages).toEqual((await contents(original.store)).map((one) => ({ ...one, data: Buffer.from(one.data) })));
  });

  it('leaves nothing behind and overwrites nothing', async () => {
    await expect(write(file)).rejects.toThrow(`${file} is already there`);
    expect(readdirSync(directory).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('is restored to the same bytes, sequences and times, under an identity that names its parent', async () => {
    const target = emptyCluster('restored');
    expect(await restoreBackup({ ...target, file })).toMatchObject({ count: 702, alreadyThere: 0, complete: false });
    const restored = await contents(target.store);
    expect(restored.slice(0, 702)).toEqual(await contents(original.store));
    const last = await target.store.lastOf('log');
    expect(last?.commit?.events[0]).toMatchObject({
      type: 'LogRestored',
      data: { logId: 'restored-log', parentId: 'original', throughSequence: 702 },
    });
    // A second restore has nothing to do.
    expect(await restoreBackup({ ...target, file })).toMatchObject({ complete: true });
    expect(await contents(target.store)).toHaveLength(703);
  });

  it('is restored from where an earlier restore was interrupted', async () => {
    const target = emptyCluster('halfway');
    const log = await openTestLog(nats.url, { catalogue, cluster: 'halfway' });
    for await (const { boundary, data, sequence } of original.store.readMessages()) {
      if (sequence <= 300) await log.link.js.publish(log.names.eventSubject(boundary), data);
    }
    await log.close();
    expect(await restoreBackup({ ...target, file })).toMatchObject({ alreadyThere: 300, complete: false });
    expect(await contents(target.store)).toHaveLength(703);
  });

  it('is not restored over another log', async () => {
    const log = await openTestLog(nats.url, { catalogue, cluster: 'taken' });
    await log.store.append('log', 0, record([{ type: 'LogStarted', data: { logId: 'another' } }]));
    await expect(restoreBackup({ ...emptyCluster('taken'), file })).rejects.toMatchObject({ code: 'log-not-empty' });
    expect((await log.store.info()).lastSequence).toBe(1);
    await log.close();
  });

  it('is not complete when another process writes during its restore', async () => {
    const target = emptyCluster('raced');
    const intrude = (events: readonly LogEvent[]) => {
      original.link.nc.publish(target.names.eventSubject('many.1'), 'intruder');
      return record(events);
    };
    await expect(restoreBackup({ ...target, file, record: intrude })).rejects.toMatchObject({
      code: 'log-written-meanwhile',
    });
    await expect(restoreBackup({ ...target, file })).rejects.toMatchObject({ code: 'log-not-empty' });
  });

  it('survives a nats-server that is killed and comes back', async () => {
    const target = emptyCluster('shaken');
    const restore = restoreBackup({ ...target, file });
    await until(async () => (await target.store.info().catch(() => undefined))?.lastSequence !== undefined, 2);
    await nats.restart();
    expect(await restore).toMatchObject({ count: 702 });
    expect((await contents(target.store)).slice(0, 702)).toEqual(await contents(original.store));
  });

  it.each([
    ['a line changed', (text: string) => text.replace('é 12', 'é 99')],
    ['a line gone', (text: string) => text.split('\n').toSpliced(20, 1).join('\n')],
    ['its end missing', (text: string) => text.slice(0, text.lastIndexOf('{'))],
    ['a cut line', (text: string) => text.slice(0, text.length / 2)],
    ['a header of something else', (text: string) => text.replace('larder-backup-1', 'larder-backup-9')],
  ])('is refused when damaged: %s', async (name, damage) => {
    const damagedFile = path.join(directory, `${name.replaceAll(' ', '-')}.gz`);
    writeFileSync(damagedFile, gzipSync(damage(gunzipSync(readFileSync(file)).toString())));
    await expect(BackupFile.check(damagedFile)).rejects.toMatchObject({ code: 'backup-damaged' });
    const target = emptyCluster('never');
    await expect(restoreBackup({ ...target, file: damagedFile })).rejects.toMatchObject({ code: 'backup-damaged' });
    await expect(target.store.info()).rejects.toThrow(/not found/);
  });

  it('is refused when its file is truncated or no backup', async () => {
    const short = path.join(directory, 'short.gz');
    writeFileSync(short, readFileSync(file).subarray(0, 500));
    await expect(BackupFile.check(short)).rejects.toMatchObject({ code: 'backup-damaged' });
    await expect(BackupFile.check(path.join(directory, 'none.gz'))).rejects.toMatchObject({ code: 'no-such-file' });
    writeFileSync(short, 'no gzip');
    await expect(BackupFile.check(short)).rejects.toMatchObject({ code: 'backup-damaged' });
  });

  it('unpacks with nothing but gzip', async () => {
    const unpacked = path.join(directory, 'unpacked.jsonl');
    await pipeline(createReadStream(file), createGunzip(), createWriteStream(unpacked));
    expect(readFileSync(unpacked, 'utf8').trimEnd().split('\n')).toHaveLength(704);
    await pipeline(createReadStream(unpacked), createGzip(), createWriteStream(path.join(directory, 'again.gz')));
    expect((await BackupFile.check(path.join(directory, 'again.gz'))).count).toBe(702);
    expect(existsSync(unpacked)).toBe(true);
  });
});

describe('a log that begins later', () => {
  const [oldest, newest] = [availableNatsVersions()[0], availableNatsVersions().at(-1)!];

  it('keeps its sequences, and is refused by a server that cannot begin there', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'larder-backup-'));
    const nats = await startTestNats({ version: newest });
    const old = await startTestNats({ version: oldest });
    try {
      const log = await openTestLog(nats.url, { catalogue });
      await log.store.append('log', 0, record([{ type: 'LogStarted', data: { logId: 'original' } }]));
      for (let i = 0; i < 20; i++) await log.store.appendFact('notes', `${i}`, [note(`${i}`)]);
      await log.link.jsm.streams.purge(log.names.eventStream, { seq: 11 });
      const file = path.join(directory, 'log.gz');
      const { header } = await writeBackup({ store: log.store, cluster: 'larder', natsVersion: newest, file, now: '' });
      expect(header).toMatchObject({ firstSequence: 11, lastSequence: 21 });
      const names = new Names('later');
      const store = new EventStore(log.link, names, log.codec);
      const options = { names, replicas: 1, logId: 'later', record, file };
      expect(await restoreBackup({ ...options, link: log.link, store })).toMatchObject({ count: 11 });
      expect(await store.info()).toMatchObject({ firstSequence: 11, lastSequence: 22 });
      await log.close();
      if (oldest === newest) return;
      const there = await openTestLog(old.url, { catalogue });
      const oldStore = new EventStore(there.link, names, there.codec);
      await expect(restoreBackup({ ...options, link: there.link, store: oldStore })).rejects.toMatchObject({
        code: 'nats-too-old',
      });
      await there.close();
    } finally {
      await nats.stop();
      await old.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
