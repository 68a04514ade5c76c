import { type JobRecord, type BatchInFlight } from './jobs.view.js';
import { job } from './job.js';
import { nextAction, type JobWorld } from './job.process.js';

const world: JobWorld = {
  ...{ ring: ['w1', 'w2'], batchWindow: 2, jobs: 1, ofOthers: 0 },
  ...{ maxLosses: 3, passes: ['main'], movable: true },
};

function batch(id: string, changes: Partial<BatchInFlight> = {}): BatchInFlight {
  return {
    id,
    workerId: 'w1',
    copy: 0,
    files: 1,
    bytes: 1,
    workSequence: 1,
    pass: 'main',
    attempt: 1,
    losses: 0,
    withdrawn: false,
    ...changes,
  };
}

function record(batches: BatchInFlight[], state: Partial<JobRecord['state']> = {}): JobRecord {
  return {
    state: { ...job.initial, owner: 'me', epoch: 1, ...state },
    inFlight: Object.fromEntries(batches.map((one) => [one.id, one])),
  } as JobRecord;
}

const four = ['a', 'b', 'c', 'd'].map((id) => batch(id));

it.each<[string, JobRecord, Partial<JobWorld>, object]>([
  ['plans while there is room', record(four.slice(0, 3)), {}, { type: 'Plan' }],
  ['waits when the window is full', record(four), {}, { type: 'Wait', for: 'batches' }],
  [
    'plans up to its share when others fill the window',
    record([batch('a')]),
    { jobs: 2, ofOthers: 9 },
    { type: 'Plan' },
  ],
  [
    'waits when its share is full, and others fill the window',
    record(four.slice(0, 2)),
    { jobs: 2, ofOthers: 2 },
    { type: 'Wait', for: 'batches' },
  ],
  ['plans beyond its share while the window has room', record(four.slice(0, 3)), { jobs: 2 }, { type: 'Plan' }],
  ['has a share of one batch at least', record([]), { jobs: 1000, ofOthers: 9 }, { type: 'Plan' }],
  ['waits for workers when there are none', record([]), { ring: [] }, { type: 'Wait', for: 'workers' }],
  ['waits for the last batches', record([batch('a')], { sourceDone: true }), {}, { type: 'Wait', for: 'batches' }],
  ['finishes when all has settled', record([], { sourceDone: true }), {}, { type: 'Finish' }],
  [
    'verifies first, if asked',
    record([], { sourceDone: true }),
    { passes: ['main', 'verify'] },
    { type: 'StartPass', pass: 'verify' },
  ],
  [
    'finishes after the verification',
    record([], { sourceDone: true, pass: 'verify' }),
    { passes: ['main', 'verify'] },
    { type: 'Finish' },
  ],
  [
    'does not verify a source that could not be listed',
    record([], { sourceDone: true, sourceError: 'x' }),
    { passes: ['main', 'verify'] },
    { type: 'Finish' },
  ],
  [
    'sends withdrawn batches again before anything else',
    record([batch('a', { withdrawn: true }), batch('b', { workerId: 'gone' })]),
    {},
    { type: 'Dispatch', reason: 'resumed', batches: [{ id: 'a' }] },
  ],
  [
    'fault 2: moves the batches of a lost worker',
    record([batch('a', { workerId: 'gone' }), batch('b')]),
    {},
    { type: 'Dispatch', reason: 'worker-lost', batches: [{ id: 'a' }] },
  ],
  [
    'fault 12: gives a batch up that lost its worker again and again',
    record([batch('a', { workerId: 'gone', losses: 2 })]),
    {},
    { type: 'Park', batch: { id: 'a' } },
  ],
  [
    'moves a batch that was sent often for other reasons',
    record([batch('a', { workerId: 'gone', attempt: 9, losses: 1 })]),
    {},
    { type: 'Dispatch', reason: 'worker-lost', batches: [{ id: 'a' }] },
  ],
  [
    'gives a batch up that only its worker could do',
    record([batch('a', { workerId: 'gone' })]),
    { movable: false },
    { type: 'Park', batch: { id: 'a' } },
  ],
  [
    'keeps the batches of lost workers while no worker is left to take them',
    record([batch('a', { workerId: 'gone' })], { sourceDone: true }),
    { ring: [] },
    { type: 'Wait', for: 'workers' },
  ],
])('%s', (_name, given, changes, expected) => {
  expect(nextAction(given, { ...world, ...changes })).toMatchObject(expected);
});
