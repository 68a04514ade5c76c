import { encodeWorkBatch, job, type BatchInFlight, type JobRecord, type WorkBatch } from '../index.js';
import { LostLists, listOf } from './lost-lists.js';

const jobId = 'j1';

function list(id: string, of = jobId): Uint8Array {
  const batch: WorkBatch = {
    ...{ v: 1, jobId: of, kind: 'load', batchId: id, pass: 'load', epoch: 1, attempt: 1, copy: 0 },
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
  /** What the log holds and the views have not applied yet. */
  behind: (() => void)[] = [];
  reads = 0;
  readonly lists: LostLists;

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
    this.lists = new LostLists(jobId, { read, caughtUp, record: () => this.record, isRunning }, () => this.nowMs);
  }

  async find(afterMs: number): Promise<string[]> {
    this.nowMs += afterMs;
    return (await this.lists.find(this.record)).map(({ id }) => id);
  }
}

function batch(id: string, workSequence: number): BatchInFlight {
  const plan = { id, workerId: 'w1', copy: 0, files: 1, bytes: 1, workSequence };
  return { ...plan, pass: 'load', attempt: 1, withdrawn: false };
}

describe('lost lists', () => {
  it('are found when they are missing twice, a while apart', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.stream.delete(2);
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(1000)).toEqual([]);
    expect(await fixture.find(2500)).toEqual(['b']);
  });

  it('are also those whose place another batch has taken, of this job or another', async () => {
    const fixture = new Fixture('a', 'b', 'c');
    fixture.stream.set(1, list('x'));
    fixture.stream.set(2, list('b', 'another-job'));
    fixture.stream.set(3, Buffer.from('no list'));
    await fixture.find(0);
    expect(await fixture.find(3000)).toEqual(['a', 'b', 'c']);
  });

  it('are not those of batches that have settled, however late the views learn of it', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.behind.push(() => delete fixture.record.inFlight.a);
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(60_000)).toEqual([]);
  });

  it('nor of those that were sent again meanwhile', async () => {
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

  it('nor of those that a worker has in hand', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.running.add('a');
    expect(await fixture.find(0)).toEqual([]);
    expect(await fixture.find(30_000)).toEqual([]);
    // It has died: the batch will not be reported any more.
    fixture.running.clear();
    await fixture.find(30_000);
    expect(await fixture.find(3000)).toEqual(['a']);
  });

  it('nor those of withdrawn batches, which are sent again, or given up then', async () => {
    const fixture = new Fixture('a');
    fixture.stream.clear();
    fixture.record.inFlight.a.withdrawn = true;
    await fixture.find(0);
    expect(await fixture.find(60_000)).toEqual([]);
  });

  it('are looked for at once, and then only when nothing has moved for a while', async () => {
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

it('a list is one of this batch and job, or none', () => {
  expect(listOf(jobId, { id: 'a' }, list('a'))?.files).toEqual([['a', 1, '']]);
  for (const bytes of [undefined, list('b'), list('a', 'j2'), Buffer.from('{}')]) {
    expect(listOf(jobId, { id: 'a' }, bytes)).toBeUndefined();
  }
});
