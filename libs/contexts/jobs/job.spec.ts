import fc from 'fast-check';
import { given, repeatAddsNothing } from '#testing';
import { type JobEvent } from './job.events.js';
import { job, type JobCommand } from './job.js';
import { slot, type SlotCommand } from './slot.js';

const plan = (epoch: number, step: number, done = false) => ({
  epoch,
  pass: 'main' as const,
  step,
  cursor: `c${step}`,
  done,
  scannedFiles: 0,
  filteredFiles: 0,
  seenEntries: 0,
  rejected: [],
  batches: [],
});
const assumed = (owner: string, epoch: number): JobEvent => ({ type: 'JobAssumed', data: { owner, epoch } });
const stopped: JobEvent = { type: 'JobStopped', data: {} };
const resumed: JobEvent = { type: 'JobResumed', data: {} };
const outcome = { epoch: 1, state: 'SUCCEEDED' as const, message: '', summary: {} };
const finished: JobEvent = { type: 'JobFinished', data: outcome };

describe('slot', () => {
  const submit: SlotCommand = {
    type: 'Submit',
    jobId: 'j2',
    kind: 'load',
    target: 't',
    alias: 'a',
    spec: {},
    holderFinished: false,
  };
  const { type: _type, holderFinished: _finished, ...data } = submit;
  const submitted = { type: 'JobSubmitted', data } as const;
  const held = { type: 'JobSubmitted', data: { ...data, jobId: 'j1' } } as const;

  it('is free for the first job', () => given(slot, []).when(submit).then([submitted]));
  it('is taken while its holder is unfinished', () => given(slot, [held]).when(submit).thenRefused('slot-taken'));
  it('is free again when its holder has finished', () =>
    given(slot, [held])
      .when({ ...submit, holderFinished: true })
      .then([submitted]));
  it('takes the same job once', () => given(slot, [submitted]).when(submit).then([]));
});

describe('ownership', () => {
  it('raises the epoch with every owner', () => {
    given(job, [])
      .when({ type: 'Assume', owner: 'a', afterEpoch: 0 })
      .then([assumed('a', 1)]);
    given(job, [assumed('a', 1)])
      .when({ type: 'Assume', owner: 'b', afterEpoch: 1 })
      .then([assumed('b', 2)]);
  });

  it('goes to the quickest coordinator, and not on to another that tried at the same time', () => {
    given(job, [assumed('a', 1)])
      .when({ type: 'Assume', owner: 'b', afterEpoch: 0 })
      .then([]);
  });

  it('is refused for a stopped or finished job', () => {
    given(job, [assumed('a', 1), stopped])
      .when({ type: 'Assume', owner: 'b', afterEpoch: 1 })
      .thenRefused('job-stopped');
    given(job, [assumed('a', 1), finished])
      .when({ type: 'Assume', owner: 'b', afterEpoch: 1 })
      .thenRefused('job-gone');
  });

  it.each<[string, JobCommand]>([
    ['PlanBatches', { type: 'PlanBatches', data: plan(1, 0) }],
    ['DispatchBatches', { type: 'DispatchBatches', data: { epoch: 1, reason: 'resumed', batches: [] } }],
    ['DispatchForgotten', { type: 'DispatchForgotten', data: { epoch: 1, batches: [] } }],
    ['ParkBatch', { type: 'ParkBatch', epoch: 1, batchId: 'l0-x', counts: {}, failures: [] }],
    ['StartPass', { type: 'StartPass', epoch: 1, pass: 'verify' }],
    ['Finish', { type: 'Finish', data: outcome }],
  ])('fences %s of an earlier epoch', (_name, command) => {
    given(job, [assumed('a', 1), assumed('b', 2)])
      .when(command)
      .thenRefused('fenced');
  });

  it('ends with a stop: the resumed job waits for a new epoch', () => {
    given(job, [assumed('a', 1), stopped, resumed])
      .when({ type: 'PlanBatches', data: plan(1, 0) })
      .thenRefused('fenced');
    given(job, [assumed('a', 1), stopped, resumed])
      .when({ type: 'Assume', owner: 'a', afterEpoch: 1 })
      .then([assumed('a', 2)]);
  });
});

describe('planning', () => {
  it('accepts each step once and none after the end of the source', () => {
    const planned: JobEvent = { type: 'BatchesPlanned', data: plan(1, 0) };
    given(job, [assumed('a', 1)])
      .when({ type: 'PlanBatches', data: plan(1, 0) })
      .then([planned]);
    given(job, [assumed('a', 1), planned])
      .when({ type: 'PlanBatches', data: plan(1, 0) })
      .then([]);
    const last: JobEvent = { type: 'BatchesPlanned', data: plan(1, 1, true) };
    given(job, [assumed('a', 1), planned, last])
      .when({ type: 'PlanBatches', data: plan(1, 2) })
      .then([]);
  });

  it('starts again for the verification', () => {
    const { state } = given(job, [
      assumed('a', 1),
      { type: 'BatchesPlanned', data: plan(1, 0, true) },
      { type: 'PassStarted', data: { epoch: 1, pass: 'verify' } },
    ]);
    expect(state).toMatchObject({ pass: 'verify', steps: 0, cursor: '', sourceDone: false });
  });
});

describe('users', () => {
  it('stop a running job, a stopped one without effect, a finished one not at all', () => {
    given(job, [assumed('a', 1)])
      .when({ type: 'Stop' })
      .then([stopped]);
    given(job, [assumed('a', 1), stopped])
      .when({ type: 'Stop' })
      .then([]);
    given(job, [assumed('a', 1), finished])
      .when({ type: 'Stop' })
      .thenRefused('job-gone');
  });

  it('resume with another bandwidth, or change it while it runs', () => {
    given(job, [stopped])
      .when({ type: 'Resume', bandwidth: 5 })
      .then([{ type: 'JobResumed', data: { bandwidth: 5 } }]);
    const retuned: JobEvent = { type: 'JobRetuned', data: { bandwidth: 5 } };
    given(job, []).when({ type: 'Retune', bandwidth: 5 }).then([retuned]);
    given(job, [retuned]).when({ type: 'Retune', bandwidth: 5 }).then([]);
  });
});

it('law: the same command twice adds nothing', () => {
  const epoch = fc.integer({ min: 1, max: 3 });
  const command: fc.Arbitrary<JobCommand> = fc.oneof(
    fc.record({ type: fc.constant('Assume' as const), owner: fc.constantFrom('a', 'b'), afterEpoch: fc.nat(3) }),
    fc.record({
      type: fc.constant('PlanBatches' as const),
      data: fc.tuple(epoch, fc.integer({ min: 0, max: 2 }), fc.boolean()).map((args) => plan(...args)),
    }),
    fc.record({ type: fc.constant('StartPass' as const), epoch, pass: fc.constant('verify' as const) }),
    fc.constant({ type: 'Stop' } as const),
    fc.constant({ type: 'Resume' } as const),
    fc.record({ type: fc.constant('Retune' as const), bandwidth: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ type: fc.constant('Finish' as const), data: epoch.map((e) => ({ ...outcome, epoch: e })) }),
  );
  fc.assert(fc.property(fc.array(command), (history) => repeatAddsNothing(job, history)));
});
