import { SnapshotStore } from '#jetstream';
import { type View } from '#kernel';
import { note, openTestLog, startTestNats, type TestLog, type TestNats } from '#testing';
import { PastCache } from './past-cache.js';
import { PastStates } from './past-states.js';
import { TimeTravel } from './time-travel.js';
import { snapshotName, snapshotVersion } from './views.js';

/** The texts of all notes in order, and how often a state of the view was evolved. */
function textsView(): View<{ texts: string[] }> & { evolved: number } {
  return {
    name: 'texts',
    version: 1,
    evolved: 0,
    initial: () => ({ texts: [] }),
    evolve(state, commit) {
      this.evolved++;
      for (const { data } of commit.events) state.texts.push((data as { text: string }).text);
    },
    toSnapshot: (state) => state,
    fromSnapshot: (snapshot) => snapshot as { texts: string[] },
  };
}

describe('the past', () => {
  let nats: TestNats;
  let log: TestLog;
  let snapshots: SnapshotStore;
  let view: ReturnType<typeof textsView>;
  let past: PastStates;
  const written = Array.from({ length: 200 }, (_, i) => `note ${i + 1}`);
  const never = () => new AbortController().signal;

  beforeAll(async () => {
    nats = await startTestNats();
    log = await openTestLog(nats.url);
    snapshots = new SnapshotStore(log.link, log.names);
    for (const text of written) await log.store.appendFact('notes', text, [note(text)]);
  }, 60_000);

  beforeEach(() => renew());

  afterAll(async () => {
    await log?.close();
    await nats?.stop();
  });

  function renew(cache = new PastCache()): void {
    view = textsView();
    const views = [view] as unknown as View<never>[];
    past = new PastStates({ store: log.store, snapshots, views, cache });
  }

  const textsAt = async (sequence: number, signal = never()) =>
    ((await past.at(sequence, signal)).get('texts') as { texts: string[] }).texts;

  it('is the state of the log at that moment', async () => {
    for (const sequence of [1, 120, 50, 200]) expect(await textsAt(sequence)).toEqual(written.slice(0, sequence));
  });

  it('goes on from the nearest state that was built before', async () => {
    await textsAt(150);
    view.evolved = 0;
    expect(await textsAt(160)).toEqual(written.slice(0, 160));
    expect(view.evolved).toBe(10);
    expect(await textsAt(150)).toEqual(written.slice(0, 150));
    expect(view.evolved).toBe(10);
  });

  it('is built once for simultaneous requests, and one state after another', async () => {
    const asked = await Promise.all([100, 100, 100, 110, 110].map((sequence) => textsAt(sequence)));
    expect(asked.map(({ length }) => length)).toEqual([100, 100, 100, 110, 110]);
    expect(view.evolved).toBe(110);
  });

  it('is given up when no request waits for it any more', async () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const first = textsAt(199, one.signal);
    const second = textsAt(199, two.signal);
    one.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(await second).toHaveLength(199);
    renew();
    const alone = textsAt(199, two.signal);
    two.abort(new Error('gone too'));
    await expect(alone).rejects.toThrow('gone too');
    // The next request is neither delayed nor spoilt by it.
    expect(await textsAt(10)).toHaveLength(10);
    expect(view.evolved).toBeLessThan(199);
    expect(await textsAt(199)).toHaveLength(199);
  });

  it('refuses a request beyond the limit', async () => {
    const asked = Array.from({ length: 17 }, (_, i) => textsAt(i + 1));
    const outcomes = await Promise.allSettled(asked);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject([{ reason: { kind: 'Unavailable', code: 'past-busy' } }]);
  });

  it('goes on from a stored snapshot at or before it, never from a later one', async () => {
    const { streamId } = await log.store.info();
    const version = snapshotVersion([view] as unknown as View<never>[]);
    const save = (sequence: number) =>
      snapshots.save(snapshotName, version, { streamId, sequence, state: { texts: { texts: ['kept', sequence] } } });
    await save(100);
    await save(180);
    expect(await textsAt(102)).toEqual(['kept', 100, 'note 101', 'note 102']);
    expect(view.evolved).toBe(2);
    expect(await textsAt(180)).toEqual(['kept', 180]);
    expect(await textsAt(50)).toEqual(written.slice(0, 50));
  });

  it('is found by sequence and by time', async () => {
    const states = { at: () => Promise.resolve(new Map<string, unknown>()) };
    const travel = new TimeTravel(log.store, states);
    const at = (await log.store.recordedAt(40))!;
    expect(await travel.visit('40', never())).toMatchObject({ sequence: 40, nowMs: at });
    const byTime = await travel.visit(new Date(at).toISOString(), never());
    // Several notes may have come within that millisecond.
    expect(byTime.nowMs).toBe(at);
    expect(byTime.sequence).toBeGreaterThanOrEqual(40);
    expect(await log.store.recordedAt(byTime.sequence)).toBe(at);
    expect((await log.store.recordedAt(byTime.sequence + 1)) ?? Infinity).toBeGreaterThan(at);
    const now = await travel.visit(new Date().toISOString(), never());
    expect(now.sequence).toBe(200);
  });

  it.each([
    ['201', /^asOf lies behind the log's end, which is 200/],
    ['0', /^asOf lies before the log's first event, 1/],
    ['2001-01-01', /^asOf lies before the log's first event/],
    ['2199-01-01', /^asOf lies in the future/],
    ['soon', /^asOf must be a log sequence/],
  ])('refuses asOf=%s', async (asOf, sentence) => {
    await expect(new TimeTravel(log.store, past).visit(asOf, never())).rejects.toThrow(sentence);
  });
});
