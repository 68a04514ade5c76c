import { cp, rename, rm } from 'node:fs/promises';
import { availableNatsVersions, note, openTestLog, startTestNats, type TestLog, type TestNats, until } from '#testing';
import { type DecodedCommit, EventCodec, EventStore, LogReader } from '../index.js';

jest.setTimeout(30_000);

describe.each(availableNatsVersions())('LogReader on nats-server %s', (version) => {
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

  const append = (boundary: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => log.store.appendFact(boundary, `${boundary}-${i}`, [note('n')])),
    );
  const upTo = (count: number, from = 1) => Array.from({ length: count - from + 1 }, (_, i) => from + i);

  it('delivers everything from a sequence on, in order, and follows', async () => {
    await append('a', 50);
    const seen: DecodedCommit[] = [];
    const reader = log.reader({ startSequence: 11, onCommit: (commit) => seen.push(commit) });
    expect(await reader.caughtUp()).toBe(50);
    const { sequence } = await log.store.append('b.1', 0, [note('last')]);
    await reader.waitFor(sequence, 5_000);
    expect(seen.map((commit) => commit.sequence)).toEqual(upTo(51, 11));
    expect(seen.at(-1)).toMatchObject({ boundary: 'b.1', events: [{ data: { text: 'last' } }] });
  });

  it('replays without holding up the event loop', async () => {
    await append('a', 1_500);
    let callbacks = 0;
    let mostInOneTurn = 0;
    let before = 0;
    let turn = setImmediate(function next() {
      mostInOneTurn = Math.max(mostInOneTurn, callbacks - before);
      before = callbacks;
      turn = setImmediate(next);
    });
    const reader = log.reader({
      startSequence: 1,
      onCommit: () => {
        callbacks++;
        // A slow callback: a whole batch of these in one turn of the event loop would be a long stall.
        const until = performance.now() + 0.2;
        while (performance.now() < until);
      },
    });
    await reader.caughtUp(20_000).finally(() => clearImmediate(turn));
    expect(callbacks).toBe(1_500);
    expect(mostInOneTurn).toBeLessThanOrEqual(2 * (10 / 0.2));
  });

  it('fault 3: goes on across kill -9 and restart of the server, without a gap or a duplicate', async () => {
    const seen: number[] = [];
    const filtered: number[] = [];
    const reader = log.reader({ startSequence: 1, onCommit: ({ sequence }) => seen.push(sequence) });
    const other = log.reader({ startSequence: 1, filter: 'b.*', onCommit: ({ sequence }) => filtered.push(sequence) });
    let stop = false;
    const expectedOther: number[] = [];
    const writing = (async () => {
      for (let i = 0; !stop; i++) {
        const boundary = i % 3 ? 'a.1' : 'b.1';
        const { sequence } = await log.store.appendFact(boundary, `${i}`, [note(`${i}`)], { budgetMs: 20_000 });
        if (boundary === 'b.1') expectedOther.push(sequence);
      }
    })();
    for (let crash = 0; crash < 3; crash++) {
      const before = seen.length;
      await until(() => seen.length > before + 100);
      await nats.restart();
    }
    const before = seen.length;
    await until(() => seen.length > before + 100);
    stop = true;
    await writing;
    const last = await reader.caughtUp();
    await other.caughtUp();
    expect(seen).toEqual(upTo(last));
    expect(filtered).toEqual(expectedOther);
  });

  it('creates its consumer again after a loss of it', async () => {
    const seen: number[] = [];
    const reader = log.reader({ startSequence: 1, onCommit: ({ sequence }) => seen.push(sequence) });
    await append('a', 10);
    await reader.caughtUp();
    for await (const consumer of log.link.jsm.consumers.list(log.names.eventStream)) {
      await log.link.jsm.consumers.delete(log.names.eventStream, consumer.name);
    }
    await append('b', 10);
    await reader.waitFor(20, 10_000);
    expect(seen).toEqual(upTo(20));
  });

  it('catches up to the log’s end at the call, and shares the request for it', async () => {
    const reader = log.reader({ startSequence: 1, onCommit: () => undefined });
    for (let i = 0; i < 200; i++) {
      const { sequence } = await log.store.append('x.1', i, [note('n')]);
      const answers = await Promise.all([reader.caughtUp(), reader.caughtUp(), reader.caughtUp()]);
      for (const answer of answers) expect(answer).toBeGreaterThanOrEqual(sequence);
      expect(reader.appliedSequence).toBeGreaterThanOrEqual(sequence);
    }
  });

  it('with a filter, waits only for messages that match', async () => {
    const reader = log.reader({ startSequence: 1, filter: 'kept.*', onCommit: () => undefined });
    expect(await reader.caughtUp()).toBe(0);
    const kept = await log.store.append('kept.1', 0, [note('k')]);
    const dropped = await log.store.append('dropped.1', 0, [note('d')]);
    await reader.waitFor(dropped.sequence, 5_000);
    expect(reader.appliedSequence).toBe(kept.sequence);
    expect(await reader.caughtUp()).toBe(kept.sequence);
  });

  it('reports how far it is when the wait takes too long', async () => {
    const reader = log.reader({ startSequence: 1, onCommit: () => undefined });
    await append('a', 1);
    await reader.caughtUp();
    await expect(reader.waitFor(2, 50)).rejects.toMatchObject({ kind: 'Unavailable', code: 'not-caught-up' });
    const waiting = reader.waitFor(2, 10_000);
    reader.stop();
    await expect(waiting).rejects.toMatchObject({ code: 'reader-stopped' });
  });

  it('fault 24: stops at an event that it does not know, and never skips it', async () => {
    await append('a', 5);
    const newer = new EventCodec([
      { Noted: { v: 1, description: '', schema: { parse: (data) => data } } },
      { Burnt: { v: 1, description: '', schema: { parse: (data) => data } } },
    ]);
    await new EventStore(log.link, log.names, newer).append('b.1', 0, [{ ...note('n'), type: 'Burnt' }]);
    await append('c', 5);
    const seen: number[] = [];
    const fatal = await new Promise<unknown>((onFatal) =>
      log.reader({ startSequence: 1, onCommit: ({ sequence }) => seen.push(sequence), onFatal }),
    );
    expect(fatal).toMatchObject({ code: 'unknown-event', type: 'Burnt', sequence: 6 });
    expect(seen).toEqual(upTo(5));
  });

  it('fault 24: refuses a log that has lost its end, however far it has grown again since', async () => {
    await append('before', 3);
    let fatal: unknown;
    const reader = log.reader({ startSequence: 1, onCommit: () => undefined, onFatal: (error) => (fatal = error) });
    await reader.waitFor(3, 5_000);
    const older = `${nats.storeDir}-older`;
    await nats.kill9();
    await cp(nats.storeDir, older, { recursive: true });
    await nats.restart();
    await append('lost', 2);
    await reader.waitFor(5, 5_000);
    await nats.kill9();
    await rm(nats.storeDir, { recursive: true });
    await rename(older, nats.storeDir);
    await nats.restart();
    await append('instead', 4);
    await until(() => fatal !== undefined);
    expect(fatal).toMatchObject({
      code: 'log-lost-tail',
      message: expect.stringContaining('another message at 5') as string,
    });
  });

  it('fault 24: refuses a log that has lost its end, its beginning, or was replaced', async () => {
    await append('a', 20);
    const fatalOf = (startSequence: number) =>
      new Promise<unknown>((onFatal) =>
        log.reader({ startSequence, onCommit: () => undefined, onFatal, lostTailGraceMs: 300 }),
      );
    expect(await fatalOf(30)).toMatchObject({ code: 'log-lost-tail' });
    await log.link.jsm.streams.purge(log.names.eventStream, { seq: 11 });
    expect(await fatalOf(5)).toMatchObject({ code: 'log-gap' });

    let replaced: unknown;
    const reader = new LogReader(log.link, log.names, log.codec, log.store, {
      startSequence: 11,
      onCommit: () => undefined,
      onFatal: (error) => (replaced = error),
    });
    reader.start();
    await reader.waitFor(20, 5_000);
    await log.link.jsm.streams.delete(log.names.eventStream);
    const again = await openTestLog(nats.url);
    await until(() => replaced !== undefined);
    expect(replaced).toMatchObject({ code: 'log-replaced' });
    await again.close();
  });
});
