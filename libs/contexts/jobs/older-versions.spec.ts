import { batchId, placeOfBatch } from './batch-id.js';
import { jobEvents, mainPass } from './job.events.js';
import { decodeWorkBatch, encodeWorkBatch, type WorkBatch } from './work-batch.js';

/** Until 0.2 the first pass of every kind was called `load`. */
const older = [
  ['load', mainPass],
  ['verify', 'verify'],
  ['prune', 'prune'],
];

describe.each(older)('pass %s of a job of version 0.2', (before, now) => {
  it.each(['BatchesPlanned', 'QuotaReserved', 'PassStarted'] as const)('is the pass %s now', (type) => {
    expect(jobEvents[type].upcast[1]({ step: 3, pass: before } as never)).toEqual({ step: 3, pass: now });
  });

  it('is that of the summary in its last event', () => {
    const data = { epoch: 1, state: 'SUCCEEDED' as const, message: '' };
    const summary = { jobId: 'j', state: { status: 'finished', pass: before } };
    const expected = { jobId: 'j', state: { status: 'finished', pass: now } };
    expect(jobEvents.JobFinished.upcast[1]({ ...data, summary })).toEqual({ ...data, summary: expected });
    expect(jobEvents.JobFinished.upcast[1]({ ...data, summary: {} })).toEqual({ ...data, summary: {} });
  });

  it('is that of a batch in a queue', () => {
    const batch: WorkBatch = {
      ...{ v: 2, jobId: 'j', kind: 'rebalance', batchId: `${before[0]}0-a`, pass: now, epoch: 1, attempt: 1, copy: 0 },
      ...{ namespaceSequence: 1, options: {}, root: '', files: [['w1', -1, '']] },
    };
    const stored = Buffer.from(JSON.stringify({ ...batch, v: 1, pass: before }));
    expect(decodeWorkBatch(stored)).toEqual(batch);
    expect(decodeWorkBatch(encodeWorkBatch(batch))).toEqual(batch);
  });

  it('gives its batches the same ids as before', () => {
    expect(batchId(now, 7, 'abc')).toBe(`${before[0]}7-abc`);
    expect(placeOfBatch(`${before[0]}7-abc`)).toEqual({ mark: before[0], step: 7 });
  });
});

it('a pass called load is allowed again in the current version', () => {
  expect(jobEvents.PassStarted.schema.parse({ epoch: 1, pass: 'load' })).toEqual({ epoch: 1, pass: 'load' });
});
