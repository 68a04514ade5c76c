import { randomUUID } from 'node:crypto';
import { headers } from 'nats';
import { availableNatsVersions, note, openTestLog, startTestNats, type TestLog, type TestNats, until } from '#testing';
import { DomainError, type RecordedEvent } from '#kernel';
import { connectNats, ensureStreams, Names, recordedAtHeader, sequenceAt, StaleVersionError } from '../index.js';

jest.setTimeout(30_000);

describe.each(availableNatsVersions())('EventStore on nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;

  beforeAll(async () => {
    nats = await startTestNats({ version, token: 't0ken' });
    log = await openTestLog(nats.url);
  });
  afterAll(async () => {
    await log?.close();
    await nats?.stop();
  });

  const commits = async (filter: string) => {
    const all = [];
    for await (const commit of log.store.readBoundary(filter)) all.push(commit);
    return all;
  };
  const textOf = (event: RecordedEvent) => (event.data as { text: string }).text;

  describe('message ids, unique in the stream, that another client used first', () => {
    const elsewhere = async (msgID: string) => {
      const subject = log.names.eventSubject(`stranger.${randomUUID()}`);
      return (await log.link.js.publish(subject, 'anything', { msgID })).seq;
    };

    it('delay no append', async () => {
      const boundary = `held.${randomUUID()}`;
      const taken = await elsewhere(`${log.names.eventSubject(boundary)}:0`);
      const first = await log.store.append(boundary, 0, [note('a')], { budgetMs: 3_000 });
      expect(first.sequence).toBeGreaterThan(taken);
      await elsewhere(`${log.names.eventSubject(boundary)}:${first.sequence}`);
      const second = await log.store.append(boundary, first.sequence, [note('b')], { budgetMs: 3_000 });
      expect((await commits(boundary)).map(({ sequence }) => sequence)).toEqual([first.sequence, second.sequence]);
      // The guard of the place still works.
      await expect(log.store.append(boundary, first.sequence, [note('c')])).rejects.toThrow(StaleVersionError);
    });

    it('suppress no fact', async () => {
      const boundary = `fact.${randomUUID()}`;
      await elsewhere(`${log.names.eventSubject(boundary)}#once`);
      const fact = [note('done')];
      const told = await log.store.appendFact(boundary, 'once', fact, { budgetMs: 3_000 });
      expect((await commits(boundary)).map(({ sequence }) => sequence)).toEqual([told.sequence]);
    });
  });

  it('appends in order and reads a boundary back', async () => {
    const first = await log.store.append('order.1', 0, [note('a'), note('b')]);
    const other = await log.store.append('order.2', 0, [note('x')]);
    const second = await log.store.append('order.1', first.sequence, [note('c')]);
    expect(other.sequence).toBe(first.sequence + 1);
    expect((await commits('order.1')).map((one) => [one.sequence, one.boundary, one.events.map(textOf)])).toEqual([
      [first.sequence, 'order.1', ['a', 'b']],
      [second.sequence, 'order.1', ['c']],
    ]);
    expect((await log.store.lastOf('order.1'))?.sequence).toBe(second.sequence);
    expect(await log.store.lastOf('order.3')).toBeUndefined();
    expect(await log.store.lastSequence('order.*')).toBe(second.sequence);
    expect(await log.store.lastSequence('nothing.*')).toBe(0);
    expect(await commits('nothing.*')).toEqual([]);
  });

  it('reads more than one batch of a boundary, at the pace of its reader', async () => {
    await Promise.all(Array.from({ length: 1_500 }, (_, i) => log.store.appendFact('many.x', `${i}`, [note(`${i}`)])));
    const all = await commits('many.*');
    expect(all.map((one) => textOf(one.events[0])).sort((a, b) => +a - +b)).toEqual(
      Array.from({ length: 1_500 }, (_, i) => `${i}`),
    );
    expect((await commits('many.x')).length).toBe(1_500);
  });

  it('lets exactly one of many concurrent appenders win, round after round, and tells the others the current sequence', async () => {
    const second = await openTestLog(nats.url);
    let expected = 0;
    for (let round = 0; round < 60; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, i) =>
          (i % 2 ? log : second).store.append('race.1', expected, [note(`${round}/${i}`)]),
        ),
      );
      const winners = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.sequence] : []));
      const losers = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as StaleVersionError] : []));
      expect(winners).toHaveLength(1);
      for (const loser of losers) {
        expect(loser).toBeInstanceOf(StaleVersionError);
        expect(loser.actual).toBe(winners[0]);
      }
      expected = winners[0];
    }
    expect((await commits('race.1')).length).toBe(60);
    await second.close();
  });

  it('answers a repeated append of the same commit with the first success', async () => {
    const events = [note('once')];
    const first = await log.store.append('repeat.1', 0, events);
    expect(await log.store.append('repeat.1', 0, events)).toEqual(first);
    expect(await commits('repeat.1')).toHaveLength(1);
  });

  it('refuses an expected sequence that the boundary never had', async () => {
    const { sequence } = await log.store.append('wrong.1', 0, [note('a')]);
    await expect(log.store.append('wrong.1', sequence + 1_000, [note('b')])).rejects.toMatchObject({
      kind: 'StaleVersion',
      actual: sequence,
    });
    await expect(log.store.append('wrong.2', 7, [note('b')])).rejects.toMatchObject({ actual: 0 });
  });

  it('fault 13: delivering a fact ten times over adds it once', async () => {
    const events = [note('settled')];
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => log.store.appendFact('batch.j1.w1', 'batch-1', events)),
    );
    expect(new Set(answers.map((one) => one.sequence)).size).toBe(1);
    expect(answers.filter((one) => !one.duplicate)).toHaveLength(1);
    expect(await commits('batch.j1.*')).toHaveLength(1);
    // The same id on another boundary is another fact.
    expect((await log.store.appendFact('batch.j2.w1', 'batch-1', events)).duplicate).toBe(false);
  });

  it('refuses a commit that is too large or empty before sending it', async () => {
    const { lastSequence } = await log.store.info();
    await expect(log.store.append('big.1', 0, [note('x'.repeat(1_100_000))])).rejects.toMatchObject({
      code: 'commit-too-large',
    });
    await expect(log.store.append('big.1', 0, [])).rejects.toMatchObject({ code: 'empty-commit' });
    expect((await log.store.info()).lastSequence).toBe(lastSequence);
  });

  it('keeps the log’s identity and refuses to delete from it', async () => {
    const info = await log.store.info();
    expect(info.firstSequence).toBe(1);
    expect(Date.parse(info.createdAt)).not.toBeNaN();
    await ensureStreams(log.link, log.names);
    expect((await log.store.info()).streamId).toBe(info.streamId);
    await expect(log.link.jsm.streams.deleteMessage(log.names.eventStream, 1)).rejects.toThrow();
  });

  it('refuses a stream that could lose events', async () => {
    const names = new Names('loose');
    await log.link.jsm.streams.add({ name: names.eventStream, subjects: [names.eventSubjects], max_msgs: 10 });
    await expect(ensureStreams(log.link, names)).rejects.toMatchObject({ code: 'stream-misconfigured' });
  });

  it('refuses replicas on a server that does not keep them safely', async () => {
    const refused = ensureStreams(log.link, new Names('three'), { replicas: 3 });
    if (version.startsWith('2.9.')) await expect(refused).rejects.toMatchObject({ code: 'nats-too-old' });
    // A single server cannot hold three replicas: the server refuses them, not our own check.
    else await expect(refused).rejects.toMatchObject({ code: 'stream-refused' });
  });

  it('reports wrong credentials at once, without showing them', async () => {
    const attempt = connectNats({ url: nats.url.replace('t0ken', 'wr0ng'), name: 'test' });
    await expect(attempt).rejects.toMatchObject({ code: 'nats-refused' });
    await expect(attempt).rejects.not.toThrow(/wr0ng/);
  });
});

describe.each(availableNatsVersions())('EventStore across kill -9 of nats-server %s', (version) => {
  let nats: TestNats;
  let log: TestLog;
  beforeEach(async () => {
    nats = await startTestNats({ version });
    log = await openTestLog(nats.url);
  });
  afterEach(async () => {
    await log?.close();
    await nats?.stop();
  });

  it('fault 3: every acknowledged append is in the log once, chains are unbroken, no outcome is misreported', async () => {
    const acked = new Map<string, number>();
    const refusedIds = new Set<string>();
    let stop = false;
    const unknown = new Set<string>();

    /** Two rivals per boundary, so that there are true conflicts too. */
    const writer = async (boundary: string) => {
      let expected = 0;
      while (!stop) {
        const event = note(boundary, randomUUID());
        try {
          const { sequence } = await log.store.append(boundary, expected, [event], { budgetMs: 20_000 });
          acked.set(event.id, sequence);
          expected = sequence;
        } catch (error) {
          if (error instanceof StaleVersionError) {
            refusedIds.add(event.id);
            expected = error.actual;
          } else if (error instanceof DomainError && error.code === 'outcome-unknown') unknown.add(event.id);
          else throw error;
        }
      }
    };
    const facts = async (boundary: string) => {
      for (let i = 0; !stop; i++) {
        const event = note(boundary, `${boundary}-${i}`);
        const { sequence } = await log.store.appendFact(boundary, `f${i}`, [event], { budgetMs: 20_000 });
        acked.set(event.id, sequence);
      }
    };
    const writers = Promise.all([
      ...Array.from({ length: 16 }, (_, i) => writer(`chain.${i >> 1}`)),
      ...Array.from({ length: 4 }, (_, i) => facts(`fact.${i}`)),
    ]);
    for (let crash = 0; crash < 3; crash++) {
      const before = acked.size;
      await until(() => acked.size > before + 200);
      await nats.restart();
    }
    const before = acked.size;
    await until(() => acked.size > before + 200);
    stop = true;
    await writers;

    const stored = new Map<string, number[]>();
    for await (const commit of log.store.readBoundary('>')) {
      const id = commit.events[0].id;
      stored.set(id, [...(stored.get(id) ?? []), commit.sequence]);
    }
    for (const [id, sequence] of acked) expect(stored.get(id)).toEqual([sequence]);
    for (const id of refusedIds) expect(stored.has(id)).toBe(false);
    expect([...stored.keys()].filter((id) => !acked.has(id) && !unknown.has(id))).toEqual([]);
    expect(refusedIds.size).toBeGreaterThan(0);
  }, 60_000);

  it('knows when the log took a message in, also from before a restore', async () => {
    const before = Date.now();
    const { sequence } = await log.store.appendFact('when', 'now', [note('now')]);
    const at = (await log.store.recordedAt(sequence))!;
    expect(Math.abs(at - before)).toBeLessThan(5_000);
    expect(await log.store.recordedAt(sequence + 1)).toBeUndefined();
    expect(await sequenceAt(log.store, at)).toBe(sequence);
    expect(await sequenceAt(log.store, 0)).toBe(0);

    const restored = headers();
    restored.set(recordedAtHeader, '2031-02-03T04:05:06.789Z');
    const data = log.codec.encode({ commitId: 'restored', events: [note('restored')] });
    const { seq } = await log.link.js.publish(log.names.eventSubject('restored'), data, { headers: restored });
    expect(await log.store.recordedAt(seq)).toBe(Date.parse('2031-02-03T04:05:06.789Z'));
  });

  it('fault 3: while NATS is away, an append reports within its budget that nothing was sent', async () => {
    await nats.kill9();
    await until(() => !log.link.connected);
    await expect(log.store.append('away.1', 0, [note('a')], { budgetMs: 300 })).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'nats-unreachable',
    });
    await expect(log.store.info()).rejects.toMatchObject({ kind: 'Unavailable' });
    const waiting = log.store.append('away.1', 0, [note('b')]);
    await nats.restart();
    expect((await waiting).sequence).toBe(1);
  });
});
