import { job, type Counts, type JobRecord } from '#contexts/jobs';
import { loadKind } from './load.kind.js';
import { type LoadSpec } from './spec.js';

const spec: LoadSpec = {
  paths: ['/data'],
  index: '',
  roots: ['s3://bucket/'],
  indexPath: '',
  covered: [],
  options: {
    batchSize: 200,
    fileFilterRegex: '',
    replicas: 1,
    skipIfExists: false,
    loadMetadataOnly: false,
    verify: false,
    bandwidth: 7,
  },
};

function record(changes: Partial<JobRecord> = {}): JobRecord {
  return {
    jobId: '54b88939-de49-46ef-acab-fe489f46d1a0',
    kind: 'load',
    target: 't',
    alias: 'nightly',
    spec: { ...spec },
    actor: 'a',
    submittedAt: '2026-01-01T00:00:00.000Z',
    sequence: 3,
    state: { ...job.initial, owner: 'c1', epoch: 1 },
    scannedFiles: 10,
    filteredFiles: 2,
    rejectedFiles: 1,
    seenEntries: 12,
    plannedFiles: 7,
    totals: { loadedFiles: 3, loadedNonEmptyFiles: 2, loadedBytes: 300, skippedFiles: 1, skippedBytes: 50 },
    replicaTotals: {},
    byWorker: {},
    inFlight: {
      'l0-a': {
        id: 'l0-a',
        workerId: 'w1',
        copy: 0,
        files: 3,
        bytes: 90,
        workSequence: 1,
        pass: 'main',
        attempt: 1,
        losses: 0,
        withdrawn: false,
      },
    },
    early: {},
    failures: [{ path: 's3://bucket/x', reason: 'control character', attempts: 0 }],
    ...changes,
  };
}

const now = Date.parse('2026-01-01T00:00:10.949Z');
const idle = { files: 0, bytes: 0 };

it('the progress has every field of the reference with the values of the record', () => {
  expect(loadKind.progress(record(), now, { files: 1, bytes: 40 })).toMatchObject({
    id: '54b88939-de49-46ef-acab-fe489f46d1a0',
    startTime: '2026-01-01T00:00:00.000+00:00',
    state: 'RUNNING',
    runningState: 'LISTING',
    errorMessage: { failures: [{ path: 's3://bucket/x' }] },
    failedFileListPath: '/api/v1/load/54b88939-de49-46ef-acab-fe489f46d1a0/failed_files',
    paths: ['/data'],
    index: '',
    skipIfExists: false,
    loadMetadataOnly: false,
    verify: false,
    bandwidth: 7,
    timeElapsedMilliseconds: 10949,
    loadedBytes: 300,
    skippedBytes: 50,
    totalBytes: 440,
    loadedNonEmptyFiles: 2,
    failedFiles: 1,
    scannedFiles: 10,
    inFlightFiles: 3,
    inFlightLoadedBytes: 40,
    alias: 'nightly',
  });
});

it('fault 15: time never runs backwards', () => {
  const earlier = Date.parse('2025-12-31T23:00:00.000Z');
  expect(loadKind.progress(record(), earlier, idle).timeElapsedMilliseconds).toBe(0);
});

it.each<[string, Partial<JobRecord>, string, string]>([
  ['unowned', { state: job.initial }, 'RUNNING', 'WAITING'],
  ['listed', { state: { ...job.initial, owner: 'c', sourceDone: true } }, 'RUNNING', 'LOADING'],
  ['verifying', { state: { ...job.initial, owner: 'c', pass: 'verify' } }, 'VERIFYING', 'VERIFYING'],
  ['stopped', { state: { ...job.initial, status: 'stopped' } }, 'STOPPED', ''],
  [
    'finished',
    { state: { ...job.initial, status: 'finished' }, outcome: { state: 'FAILED', message: 'x' } },
    'FAILED',
    '',
  ],
])('a job that is %s', (_case, changes, state, runningState) => {
  expect(loadKind.progress(record(changes), now, idle)).toMatchObject({ state, runningState });
});

const totals = (counts: Counts): Partial<JobRecord> => ({ totals: counts, rejectedFiles: 0 });

it.each<[string, Partial<JobRecord>, string, RegExp]>([
  ['everything loaded', totals({ loadedFiles: 8 }), 'SUCCEEDED', /^$/],
  ['a name refused', { rejectedFiles: 1 }, 'FAILED', /1 of 10 files/],
  ['a file failed', totals({ failedFiles: 2 }), 'FAILED', /2 of 10 files could not be loaded/],
  ['a replica failed', { rejectedFiles: 0, replicaTotals: { failedFiles: 1 } }, 'FAILED', /1 further replicas/],
  ['verification failed', totals({ verifyFailedFiles: 1 }), 'FAILED', /1 files failed verification/],
  [
    'the source failed',
    { rejectedFiles: 0, state: { ...job.initial, sourceError: 'nothing exists at s3://bucket/x' } },
    'FAILED',
    /nothing exists at/,
  ],
  [
    'nothing there',
    { ...totals({}), scannedFiles: 0, filteredFiles: 0, seenEntries: 1 },
    'SUCCEEDED',
    /there is no file at the given paths/,
  ],
  [
    'nothing matched',
    { ...totals({}), scannedFiles: 5, filteredFiles: 5 },
    'SUCCEEDED',
    /none of the 5 files matches options.fileFilterRegex/,
  ],
])('the outcome is exact: %s', (_case, changes, state, message) => {
  const conclusion = loadKind.conclude(record(changes));
  expect(conclusion.state).toBe(state);
  expect(conclusion.message).toMatch(message);
});

test('entries that were passed over are shown, and a link to a directory gets a remark', () => {
  const specialFiles = {
    directoryLinks: { count: 1, examples: ['file:///d/link'] },
    sockets: { count: 2, examples: ['file:///d/s', 'file:///d/t'] },
  };
  const done = record({ rejectedFiles: 0, specialFiles });
  expect(loadKind.progress(done, now, { files: 0, bytes: 0 })).toMatchObject({ specialFiles });
  expect(loadKind.progress(record(), now, { files: 0, bytes: 0 })).not.toHaveProperty('specialFiles');
  const message = '1 link to a directory was not followed, such as file:///d/link';
  expect(loadKind.conclude(done)).toEqual({ state: 'SUCCEEDED', message });
  const { sockets } = specialFiles;
  expect(loadKind.conclude(record({ rejectedFiles: 0, specialFiles: { sockets } })).message).toBe('');
});

it.each([
  [0, 200],
  [24, 200],
  [25, 400],
  [100, 1000],
  [100_000, 1000],
])('after %i stretches, a job whose client named no number has batches of %i files', (steps, batchSize) => {
  const at = record({ state: { ...job.initial, steps } });
  expect(loadKind.plan({ ...at, spec: { ...spec, batchGrows: true } })).toMatchObject({ batchSize });
  expect(loadKind.plan(at)).toMatchObject({ batchSize: 200 });
});
