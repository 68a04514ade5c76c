import { createHash, randomBytes } from 'node:crypto';
import { availableNatsVersions, note, openTestLog, startTestNats, type TestLog, type TestNats } from '#testing';
import { type LogInfo, SnapshotStore } from '../index.js';

jest.setTimeout(30_000);

describe.each(availableNatsVersions())('SnapshotStore on nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;
  let info: LogInfo;
  let snapshots: SnapshotStore;

  beforeEach(async () => {
    nats = await startTestNats({ version });
    log = await openTestLog(nats.url);
    for (let i = 0; i < 20; i++) await log.store.append('a.1', i, [note('n')]);
    info = await log.store.info();
    snapshots = new SnapshotStore(log.link, log.names, 300);
  });
  afterEach(async () => {
    await log?.close();
    await nats?.stop();
  });

  const save = (sequence: number, state: unknown, viewVersion = 'a1') =>
    snapshots.save('views', viewVersion, { streamId: info.streamId, sequence, state });
  const load = (viewVersion = 'a1') => snapshots.load('views', viewVersion, info);
  const stream = () => log.link.jsm.streams;
  /** Subjects of all stored chunks or descriptions. */
  const subjects = async (kind: 'C' | 'M') =>
    Object.keys(
      (await stream().info(log.names.snapshotStream, { subjects_filter: `$O.${log.names.snapshotBucket}.${kind}.>` }))
        .state.subjects ?? {},
    );
  const warnings = () => log.lines.filter((line) => line.level === 'warn').map((line) => line.message);

  it('returns the newest, and keeps two', async () => {
    expect(await load()).toBeUndefined();
    // Random text, so that it takes many chunks even when packed.
    const large = { text: randomBytes(1_500_000).toString('hex') };
    await save(5, { n: 5 });
    await save(10, large);
    await save(15, { n: 15 });
    expect(await load()).toEqual({ streamId: info.streamId, sequence: 15, state: { n: 15 } });
    expect(await subjects('M')).toHaveLength(2);
    expect(await subjects('C')).toHaveLength(2);
  });

  it('returns a large one whole', async () => {
    const state = { text: randomBytes(1_500_000).toString('hex'), more: ['ü', 1, null] };
    await save(10, state);
    expect((await load())?.state).toEqual(state);
  });

  it('accepts only snapshots that were written with one of its keys', async () => {
    const [a, b] = ['a', 'b'].map((id) => ({ id, key: randomBytes(32) }));
    const by = (...keys: (typeof a)[]) => new SnapshotStore(log.link, log.names, 300, keys);
    await by(a).save('views', 'a1', { streamId: info.streamId, sequence: 10, state: { n: 10 } });
    expect(await by(b, a).load('views', 'a1', info)).toMatchObject({ sequence: 10 });
    expect(await by(b).load('views', 'a1', info)).toBeUndefined();
    // Written without a key, by a writer that only has access to NATS: the one before it is used.
    await save(15, { n: 'forged' });
    expect(await by(a).load('views', 'a1', info)).toMatchObject({ sequence: 10, state: { n: 10 } });
    expect(warnings().join()).toContain('no coordinator with these keys has written it');
  });

  describe('a foreign entry in the bucket stops no reader', () => {
    const sha256 = createHash('sha256').digest('hex');
    const sealed = { format: 3, viewVersion: 'a1', streamId: 's', sequence: 15, sha256 };
    beforeEach(() => (snapshots = new SnapshotStore(log.link, log.names, 300, [{ id: 'a', key: randomBytes(32) }])));

    it.each([
      ['nothing', ''],
      ['no line', 'x'.repeat(10_000)],
      ['null', 'null\n'],
      ['a number', '3\n'],
      ['a list', '[]\n'],
      ['a header without a seal', `${JSON.stringify(sealed)}\n`],
      ['a seal that is no text', `${JSON.stringify({ ...sealed, mac: { toString: 1 } })}\n`],
      ['a checksum that is no text', `${JSON.stringify({ ...sealed, sha256: { toString: 1 }, mac: '' })}\n`],
      ['an invalid sequence', `${JSON.stringify({ ...sealed, sequence: '15', mac: '' })}\n`],
      ['an invalid stream', `${JSON.stringify({ ...sealed, streamId: null, mac: '' })}\n`],
    ])('as an object: %s', async (_, text) => {
      await save(10, { n: 10 });
      const theirs = await log.link.js.views.os(log.names.snapshotBucket);
      await theirs.putBlob({ name: 'views.va1.15' }, Buffer.from(text));
      expect((await load())?.sequence).toBe(10);
      expect(warnings()).toEqual([expect.stringContaining('views.va1.15 is not used')]);
    });

    it.each(['junk', 'null', '3', '{}', '{"nuid":3}', '{"nuid":">"}', '{"nuid":"a b"}', '{"nuid":"a.b"}'])(
      'as the description of one: %s',
      async (text) => {
        await save(10, { n: 10 });
        const subject = `$O.${log.names.snapshotBucket}.M.${Buffer.from('views.va1.15').toString('base64url')}`;
        await log.link.js.publish(subject, text);
        expect((await load())?.sequence).toBe(10);
        // The bad snapshot does not prevent the storing of new ones and the removal of old ones.
        for (const sequence of [16, 17, 18]) await save(sequence, { n: sequence });
        expect(await load()).toMatchObject({ sequence: 18, state: { n: 18 } });
        expect(await subjects('C')).toHaveLength(2);
      },
    );
  });

  it('writes what NATS’ own object store can read', async () => {
    await save(10, { n: 10 });
    const theirs = await log.link.js.views.os(log.names.snapshotBucket);
    const bytes = await theirs.getBlob('views.va1.10');
    expect(JSON.parse(Buffer.from(bytes!).toString('utf8').split('\n')[0])).toMatchObject({ sequence: 10, format: 3 });
  });

  it('fault 24: passes over one whose chunks are not all there, and takes the one before', async () => {
    await save(10, { n: 10 });
    const old = await subjects('C');
    await save(15, { text: randomBytes(300_000).toString('hex') });
    const [newest] = (await subjects('C')).filter((subject) => !old.includes(subject));
    const { seq } = await stream().getMessage(log.names.snapshotStream, { last_by_subj: newest });
    await stream().deleteMessage(log.names.snapshotStream, seq);
    expect((await load())?.sequence).toBe(10);
    expect(warnings()).toEqual([expect.stringMatching(/views\.va1\.15 is not used: \d+ of its \d+ chunks/)]);
  });

  it('fault 24: passes over one with other bytes than were stored', async () => {
    await save(10, { n: 10 });
    const old = await subjects('C');
    await save(15, { n: 15 });
    const [newest] = (await subjects('C')).filter((subject) => !old.includes(subject));
    const { seq, data } = await stream().getMessage(log.names.snapshotStream, { last_by_subj: newest });
    await stream().deleteMessage(log.names.snapshotStream, seq);
    const damaged = Uint8Array.from(data);
    damaged[damaged.length >> 1] ^= 1;
    await log.link.js.publish(newest, damaged);
    expect((await load())?.sequence).toBe(10);
    expect(warnings()).toEqual([expect.stringMatching(/not the ones that were stored/)]);
  });

  it('fault 24: passes over truncated ones that were stored as whole objects, and finds none', async () => {
    await save(10, { n: 10 });
    const theirs = await log.link.js.views.os(log.names.snapshotBucket);
    const good = await theirs.getBlob('views.va1.10');
    await theirs.putBlob({ name: 'views.va1.10' }, good!.subarray(0, good!.length - 9));
    await theirs.putBlob({ name: 'views.va1.11' }, Buffer.from('{"format":1'));
    await theirs.putBlob({ name: 'views.va1.12' }, Buffer.alloc(0));
    expect(await load()).toBeUndefined();
    expect(warnings()).toHaveLength(3);
  });

  it('passes over those of another version, another log, or from before an archived beginning', async () => {
    await save(10, { n: 10 });
    expect(await load('a2')).toBeUndefined();
    expect(await snapshots.load('views', 'a1', { ...info, streamId: 'another' })).toBeUndefined();
    expect((await snapshots.load('views', 'a1', { ...info, firstSequence: 11 }))?.sequence).toBe(10);
    expect(await snapshots.load('views', 'a1', { ...info, firstSequence: 12 })).toBeUndefined();
  });

  it('fault 24: refuses a log that ends before a snapshot of it', async () => {
    await save(info.lastSequence + 1, { n: 21 });
    await expect(load()).rejects.toMatchObject({ code: 'log-lost-tail' });
    // No error if the log has only grown since the caller looked.
    await log.store.append('a.1', info.lastSequence, [note('n')]);
    expect((await load())?.sequence).toBe(info.lastSequence + 1);
  });
});
