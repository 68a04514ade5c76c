import { type Deliveries } from '#jetstream';
import {
  encodeWorkBatch,
  isListOf,
  job,
  listOf,
  type BatchInFlight,
  type JobRecord,
  type WorkBatch,
} from '../index.js';
import { LostBatchSearch } from './lost-batches.js';

const jobId = 'j1';

function list(id: string, of = jobId): Uint8Array {
  const batch: WorkBatch = {
    ...{ v: 2, jobId: of, kind: 'load', batchId: id, pass: 'main', epoch: 1, attempt: 1, copy: 0 },
    ...{ namespaceSequence: 0, options: {}, root: 's3://b/', files: [['a', 1, '']] },
  };
  return encodeWorkBatch(batch);
}

/** An owner's job, its work stream and its clock. */
class Fixture {
  nowMs = 0;
  readonly stream = new Map<number, Uint8Array>();
  readonly running = new Set<string>();
  readonly record: JobRecord;
  /** Changes that the log holds and the views have not applied yet. */
  behind: (() => void)[] = [];
  reads = 0;
  /** The places that the worker's heartbeats name; undefined: it sends none. */
  held: number[] | undefined = [];
  /** At first no message is delivered. */
  queue: Deliveries | undefined = { acknowledgedUpTo: 0, deliveredUpTo: 0, unacknowledged: 0 };
  readonly search: LostBatchSearch;

  constructor(...ids: string[]) {
    const counts = { scannedFiles: 0, filteredFiles: 0, rejectedFiles: 0, seenEntries: 0, plannedFiles: ids.length };
    const inFlight = Object.fromEntries(ids.map((id, i) => [id, batch(id, i + 1)]));
    for (const [i, id] of ids.entries()) this.stream.set(i + 1, list(id));
    this.record = {
      ...{ jobId, kind: 'load', target: 't', alias: '', spec: {}, actor: 'a', submittedAt: '', sequence: 3 },
      ...{ state: job.initial, ...counts, totals: {}, replicaTotals: {}, byWorker: {}, inFlight, early: {} },
      failures: [],
    };
    const read = (sequence: number) => {
      this.reads++;
      return Promise.resolve(this.stream.get(sequence));
    };
    const caughtUp = () => {
      for (const apply of this.behind.splice(0)) apply();
      return Promise.resolve();
    };
    const isRunning = (id: string) => this.running.has(id);
    const ports = { read, caughtUp, record: () => this.record, isRunning };
    const [heldBy, deliveries] = [() => this.held, () => Promise.resolve(this.queue)];
    this.search = new LostBatchSearch(jobId, { ...ports, heldBy, deliveries }, () => this.nowMs);
  }

  async find(afterMs: number): Promise<string[]> {
    const { listless, forgotten } = await this.look(afterMs);
    expect(forgotten).toEqual([]);
    return listless;
  }

  /** Ids of the forgotten batches. Expects that no batch is without its list. */
  async findForgotten(afterMs: number): Promise<string[]> {
    const { listless, forgotten } = await this.look(afterMs);
    expect(listless).toEqual([]);
    return forgotten;
  }

  private async look(afterMs: number): Promise<{ listless: string[]; forgotten: string[] }> {
    this.nowMs += afterMs;
    const { listless, forgotten } = await this.search.find(this.record);
    return { listless: listless.map(({ id }) => id), forgotten: forgotten.map(({ id }) => id) };
  }
}

function batch(id: string, workSequence: number): BatchInFlight {
  const plan = { id, workerId: 'w1', copy: 0, files: 1, bytes: 1, workSequence };
  return { ...plan, pass: 'main', attempt: 1, losses: 0, withdrawn: false };
}

describe('lost lists', () => {
  it('are found when they are missing twice, some time apart', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.stream.delete(2);
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(1000)).toEqual([]);
    expect(await fixture.find(2500)).toEqual(['b']);
  });

  it('include those whose place another batch has taken, of this job or another', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.stream.set(1, list('x'));
    fixture.stream.set(2, list('b', 'another-job'));
    fixture.stream.set(3, Buffer.from('no list'));
    await fixture.find(0);
    expect(await fixture.find(3000)).toEqual(['a', 'b', 'c']);
  });

  it('exclude those of batches that have settled, even if the views learn of it late', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.behind.push(() => delete fixture.record.inFlight.a);
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(60_000)).toEqual([]);
  });

  it('exclude those of batches that were sent again meanwhile', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    await fixture.find(0);
    fixture.behind.push(() => {
      fixture.stream.set(9, list('a'));
      fixture.record.inFlight.a = batch('a', 9);
    });
    expect(await fixture.find(3000)).toEqual([]);
    expect(await fixture.find(60_000)).toEqual([]);
  });

  it('exclude those of batches that a worker has in hand', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.running.add('a');
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(30_000)).toEqual([]);
    // The worker has died, and will not report the batch any more.
    fixture.running.clear();
    await fixture.find(30_000);
    expect(await fixture.find(3000)).toEqual(['a']);
  });

  it('exclude those of withdrawn batches, which a resume sends again or gives up', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.record.inFlight.a.withdrawn = true;
    await fixture.find(0);
    expect(await fixture.find(60_000)).toEqual([]);
  });

  it('are looked for at once, and then only after a time without progress', async () => {
    const fixture = new Fixture('a', 'b');
    await fixture.find(0);
    expect(fixture.reads).toBe(2);
    for (let i = 0; i < 19; i++) await fixture.find(1000);
    expect(fixture.reads).toBe(2);
    await fixture.find(1000);
    expect(fixture.reads).toBe(4);
    delete fixture.record.inFlight.b;
    for (let i = 0; i < 20; i++) await fixture.find(1000);
    expect(fixture.reads).toBe(4);
    await fixture.find(1000);
    expect(fixture.reads).toBe(5);
  });
});

describe('forgotten batches', () => {
  it('are those that their worker has acknowledged and that are still in flight by the log, seen twice', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.queue = { acknowledgedUpTo: 2, deliveredUpTo: 3, unacknowledged: 1 };
    fixture.held = [3];
    fixture.running.add('b');
    expect(await fixture.findForgotten(0)).toEqual([]);
    expect(await fixture.findForgotten(1000)).toEqual([]);
    expect(await fixture.findForgotten(2500)).toEqual(['a']);
  });

  it('exclude batches that are queued', async () => {
    const fixture = new Fixture('a', 'b');
    await fixture.findForgotten(0);
    expect(await fixture.findForgotten(30_000)).toEqual([]);
    expect(await fixture.findForgotten(3000)).toEqual([]);
  });

  it('are found behind a batch that takes for ever, when all unacknowledged ones are in hand', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.queue = { acknowledgedUpTo: 0, deliveredUpTo: 3, unacknowledged: 2 };
    // The third message may be the one that waits to be delivered again.
    fixture.held = [1];
    await fixture.findForgotten(0);
    expect(await fixture.findForgotten(30_000)).toEqual([]);
    fixture.queue = { ...fixture.queue, unacknowledged: 1 };
    await fixture.findForgotten(30_000);
    expect(await fixture.findForgotten(3000)).toEqual(['b', 'c']);
  });

  it('do not count held batches outside the range that the queue reports', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.queue = { acknowledgedUpTo: 1, deliveredUpTo: 3, unacknowledged: 1 };
    fixture.held = [1, 4, 5];
    await fixture.findForgotten(0);
    expect(await fixture.findForgotten(30_000)).toEqual([]);
  });

  it.each([
    ['is silent', (fixture: Fixture) => (fixture.held = undefined)],
    ['has no queue yet', (fixture: Fixture) => (fixture.queue = undefined)],
  ])('are none while their worker %s', async (_case, arrange) => {
    const fixture = new Fixture('a');
    fixture.queue = { acknowledgedUpTo: 1, deliveredUpTo: 1, unacknowledged: 0 };
    arrange(fixture);
    await fixture.findForgotten(0);
    expect(await fixture.findForgotten(30_000)).toEqual([]);
  });

  it('exclude those whose report the views had not read, and those that were sent again meanwhile', async () => {
    const fixture = new Fixture('a', 'b');
    fixture.queue = { acknowledgedUpTo: 2, deliveredUpTo: 2, unacknowledged: 0 };
    fixture.behind.push(() => {
      delete fixture.record.inFlight.a;
      fixture.stream.set(9, list('b'));
      fixture.record.inFlight.b = batch('b', 9);
    });
    await fixture.findForgotten(0);
    expect(await fixture.findForgotten(3000)).toEqual([]);
    expect(await fixture.findForgotten(30_000)).toEqual([]);
  });
});

it('a list of another batch or job does not count', () => {
  expect(listOf(jobId, 'a', list('a'))?.files).toEqual([['a', 1, '']]);
  expect(isListOf(jobId, 'a', list('a'))).toBe(true);
  for (const bytes of [undefined, list('b'), list('a', 'j2'), Buffer.from('{}')]) {
    expect(listOf(jobId, 'a', bytes)).toBeUndefined();
    expect(isListOf(jobId, 'a', bytes)).toBe(false);
  }
});

it('a list whose fields have another order is read as a whole', () => {
  const { files, ...fields } = JSON.parse(Buffer.from(list('a')).toString()) as Record<string, unknown>;
  const bytes = Buffer.from(JSON.stringify({ files, ...fields }));
  expect([isListOf(jobId, 'a', bytes), isListOf(jobId, 'b', bytes)]).toEqual([true, false]);
});
