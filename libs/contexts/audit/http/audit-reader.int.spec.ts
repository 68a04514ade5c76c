import { allEvents } from '#contexts/catalogue';
import { type RecordedEvent } from '#kernel';
import { openTestLog, startTestNats, until, type TestLog, type TestNats } from '#testing';
import { parseCursor, type EventPage } from '../index.js';
import { AuditReader } from './audit-reader.js';
import { JobDirectory } from './job-directory.js';

let nats: TestNats;
let log: TestLog;
let reader: AuditReader;
let count = 0;

function ttl(path: string): RecordedEvent {
  const id = `e-${++count}`;
  const recorded = { id, v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: `r-${count}` };
  return { ...recorded, type: 'TtlSet', data: { path, ttlSeconds: count } };
}

const append = (...events: RecordedEvent[]) => log.store.appendFact('namespace', events[0].id, events);

beforeAll(async () => {
  nats = await startTestNats();
  log = await openTestLog(nats.url, { catalogue: allEvents });
  // No event here is about a job.
  reader = new AuditReader(log.store, new JobDirectory(undefined as never, log.store));
  for (let i = 0; i < 30; i++) await append(ttl(`/a/${i % 10}`), ttl('/b'));
  for (let i = 0; i < 1000; i++) await append(ttl('/noise'));
}, 60_000);

afterAll(async () => {
  await log?.close();
  await nats?.stop();
});

const question = { filter: { path: '/a/7' }, to: [] };

it('a page looks at a bounded part of the log, and says how to go on', async () => {
  const limits = { maxScanned: 5, maxScanMs: 60_000 };
  const pages: EventPage[] = [];
  let after = '0';
  do {
    const stretch = await reader.stretch({ ...question, to: [{ sequence: 32 }], after: parseCursor(after) });
    pages.push(await reader.page(stretch, 100, limits));
    after = pages.at(-1)!.lastKey;
  } while (!pages.at(-1)!.complete);
  expect(pages.map(({ scannedThrough }) => scannedThrough)).toEqual([5, 10, 15, 20, 25, 30, 32]);
  expect(pages.flatMap(({ results }) => results.map(({ sequence }) => sequence))).toEqual([8, 18, 28]);
  // The same with the limit of time.
  const hurried = await reader.page(await reader.stretch(question), 100, { maxScanned: 1000, maxScanMs: 0 });
  expect(hurried).toEqual({ results: [], lastKey: '1', scannedThrough: 1, complete: false });
});

it('what is appended while somebody pages comes at the end, once', async () => {
  const seen: string[] = [];
  for (let after = '1020', rounds = 0; ; rounds++) {
    const { results, lastKey, complete } = await reader.page(
      await reader.stretch({ filter: {}, to: [], after: parseCursor(after) }),
      3,
    );
    seen.push(...results.map(({ sequence, index }) => `${sequence}.${index}`));
    if (rounds === 1) await append(ttl('/c'), ttl('/d'), ttl('/e'), ttl('/f'));
    after = lastKey;
    if (complete) break;
  }
  const rest = Array.from({ length: 10 }, (_, i) => `${1021 + i}.0`);
  expect(seen).toEqual([...rest, '1031.0', '1031.1', '1031.2', '1031.3']);
});

it('a reading that nobody wants any more is ended in NATS too', async () => {
  const consumers = async () => (await log.link.jsm.streams.info(log.names.eventStream)).state.consumer_count;
  const before = await consumers();
  const events = reader.all(await reader.stretch({ filter: {}, to: [] }));
  await events.next();
  expect(await consumers()).toBe(before + 1);
  await events.return(undefined);
  await until(async () => (await consumers()) === before);

  const controller = new AbortController();
  const following = reader.follow({}, await reader.beginning(undefined, undefined), controller.signal);
  const next = following.next();
  await until(async () => (await consumers()) === before + 1);
  controller.abort();
  expect(await next).toMatchObject({ done: true });
  await until(async () => (await consumers()) === before);
});

it('begins behind the end of the log, at a moment, or behind a cursor; never behind what is not there', async () => {
  const { lastSequence } = await log.store.info();
  expect(await reader.beginning(undefined, undefined)).toEqual({ sequence: lastSequence });
  expect(await reader.beginning({ sequence: 5 }, undefined)).toEqual({ sequence: 4 });
  expect(await reader.beginning({ sequence: 5 }, { sequence: 9, index: 1 })).toEqual({ sequence: 9, index: 1 });
  expect(await reader.beginning({ timeMs: 0 }, undefined)).toEqual({ sequence: 0 });
  const beyond = { sequence: lastSequence + 1 };
  await expect(reader.beginning(undefined, beyond)).rejects.toThrow(/^lastEventId lies behind the log's end/);
  await expect(reader.beginning({ sequence: lastSequence + 2 }, undefined)).rejects.toThrow(/^from lies behind/);
});

it('from and to are moments of the log, both included', async () => {
  const at = (await log.store.recordedAt(500))!;
  const stretch = await reader.stretch({ filter: {}, from: { timeMs: at }, to: [{ timeMs: at }] });
  const found: number[] = [];
  for await (const { sequence } of reader.all(stretch)) found.push(sequence);
  expect(found).toContain(500);
  for (const sequence of found) expect(await log.store.recordedAt(sequence)).toBe(at);
  for (const sequence of [found[0] - 1, found.at(-1)! + 1]) expect(await log.store.recordedAt(sequence)).not.toBe(at);
});

it('follows the log across a restart of NATS', async () => {
  const controller = new AbortController();
  const { lastSequence } = await log.store.info();
  const seen: string[] = [];
  const following = (async () => {
    const begin = { sequence: lastSequence - 1, index: 0 };
    for await (const { events } of reader.follow({}, begin, controller.signal))
      seen.push(...events.map(({ id }) => id));
  })();
  const more = [ttl('/x'), ttl('/y'), ttl('/z')];
  await append(more[0]);
  await until(() => seen.includes(more[0].id));
  await nats.restart();
  await append(more[1], more[2]);
  await until(() => seen.includes(more[2].id));
  controller.abort();
  await following;
  expect(seen.slice(-3)).toEqual(more.map(({ id }) => id));
  expect(new Set(seen).size).toBe(seen.length);
});
