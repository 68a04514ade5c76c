import { DomainError, exhausted, unreachable, type Decider } from '#kernel';
import { mainPass, type Counts, type FileFailure, type JobEvent, type Pass } from './job.events.js';

/**
 * A job's life as its owner and its users write it. Ownership is fenced twice: every write carries the epoch under
 * which it was decided, and the boundary's expected sequence makes a paused owner's write conflict.
 */

// ---- state ----

export interface JobState {
  readonly status: 'running' | 'stopped' | 'finished';
  /** 0 until the first owner. After a resume the job has no owner and waits to be assumed under a new epoch. */
  readonly epoch: number;
  readonly owner?: string;
  readonly pass: Pass;
  /** The passes that have ended. */
  readonly earlierPasses: readonly Pass[];
  /** How many stretches of the source this pass has planned. */
  readonly steps: number;
  readonly cursor: string;
  readonly sourceDone: boolean;
  readonly sourceError?: string;
  readonly bandwidth?: number;
}

const initial: JobState = {
  status: 'running',
  epoch: 0,
  pass: mainPass,
  earlierPasses: [],
  steps: 0,
  cursor: '',
  sourceDone: false,
};

function evolve(state: JobState, event: JobEvent): JobState {
  switch (event.type) {
    case 'JobAssumed':
      return { ...state, owner: event.data.owner, epoch: event.data.epoch };
    case 'BatchesPlanned': {
      const { step, cursor, done, sourceError } = event.data;
      return { ...state, steps: step + 1, cursor, sourceDone: done, sourceError: sourceError ?? state.sourceError };
    }
    case 'BatchesDispatched':
    case 'ForgottenBatchesDispatched':
    case 'BatchParked':
      return state;
    case 'PassStarted':
      return {
        ...state,
        pass: event.data.pass,
        earlierPasses: [...state.earlierPasses, state.pass],
        steps: 0,
        cursor: '',
        sourceDone: false,
      };
    case 'JobStopped':
      return { ...state, status: 'stopped', owner: undefined };
    case 'JobResumed':
      return { ...state, status: 'running', bandwidth: event.data.bandwidth ?? state.bandwidth };
    case 'JobRetuned':
      return { ...state, bandwidth: event.data.bandwidth };
    case 'JobFinished':
      return { ...state, status: 'finished', owner: undefined };
    default:
      return exhausted(event, state);
  }
}

// ---- commands ----

type DataOf<T extends JobEvent['type']> = Extract<JobEvent, { type: T }>['data'];

export type JobCommand =
  /** `afterEpoch`: the epoch at which the job was seen without a living owner. */
  | { type: 'Assume'; owner: string; afterEpoch: number }
  | { type: 'PlanBatches'; data: DataOf<'BatchesPlanned'> }
  | { type: 'DispatchBatches'; data: DataOf<'BatchesDispatched'> }
  | { type: 'DispatchForgotten'; data: DataOf<'ForgottenBatchesDispatched'> }
  | { type: 'ParkBatch'; epoch: number; batchId: string; counts: Counts; failures: FileFailure[] }
  | { type: 'StartPass'; epoch: number; pass: Pass }
  | { type: 'Stop' }
  | { type: 'Resume'; bandwidth?: number }
  | { type: 'Retune'; bandwidth: number }
  | { type: 'Finish'; data: DataOf<'JobFinished'> };

// ---- decide ----

function decide(state: JobState, command: JobCommand): JobEvent[] {
  switch (command.type) {
    case 'Assume':
      requireRunning(state);
      // Another coordinator was quicker. It is alive, even if the owner before it is not.
      if (state.epoch !== command.afterEpoch) return [];
      return [{ type: 'JobAssumed', data: { owner: command.owner, epoch: state.epoch + 1 } }];
    case 'PlanBatches':
      requireOwner(state, command.data.epoch);
      if (command.data.step !== state.steps || command.data.pass !== state.pass || state.sourceDone) return [];
      return [{ type: 'BatchesPlanned', data: command.data }];
    case 'DispatchBatches':
      requireOwner(state, command.data.epoch);
      return command.data.batches.length === 0 ? [] : [{ type: 'BatchesDispatched', data: command.data }];
    case 'DispatchForgotten':
      requireOwner(state, command.data.epoch);
      return command.data.batches.length === 0 ? [] : [{ type: 'ForgottenBatchesDispatched', data: command.data }];
    case 'ParkBatch': {
      const { epoch, batchId, counts, failures } = command;
      requireOwner(state, epoch);
      return [{ type: 'BatchParked', data: { epoch, batchId, counts, failures } }];
    }
    case 'StartPass': {
      const { epoch, pass } = command;
      requireOwner(state, epoch);
      return state.pass === pass ? [] : [{ type: 'PassStarted', data: { epoch, pass } }];
    }
    case 'Stop':
      requireUnfinished(state);
      return state.status === 'stopped' ? [] : [{ type: 'JobStopped', data: {} }];
    case 'Resume': {
      requireUnfinished(state);
      if (state.status !== 'stopped') return [];
      const { bandwidth } = command;
      return [{ type: 'JobResumed', data: bandwidth === undefined ? {} : { bandwidth } }];
    }
    case 'Retune':
      requireUnfinished(state);
      if (state.bandwidth === command.bandwidth) return [];
      return [{ type: 'JobRetuned', data: { bandwidth: command.bandwidth } }];
    case 'Finish':
      if (state.status === 'finished') return [];
      requireOwner(state, command.data.epoch);
      return [{ type: 'JobFinished', data: command.data }];
    default:
      return unreachable(command);
  }
}

export const jobGoneMessage = "The job doesn't exist or has already finished";

export function jobGone(): DomainError {
  return new DomainError('NotFound', 'job-gone', jobGoneMessage, { httpStatus: 410 });
}

function requireUnfinished(state: JobState): void {
  if (state.status === 'finished') throw jobGone();
}

function requireRunning(state: JobState): void {
  requireUnfinished(state);
  if (state.status === 'stopped') throw new DomainError('Refused', 'job-stopped', 'the job is stopped');
}

/** @throws DomainError Refused unless the job runs under this epoch */
export function requireOwner(state: JobState, epoch: number): void {
  requireRunning(state);
  if (state.epoch !== epoch || state.owner === undefined) {
    throw new DomainError('Refused', 'fenced', `epoch ${epoch} of the job is over; the current one is ${state.epoch}`);
  }
}

export const job: Decider<JobState, JobCommand, JobEvent> = { initial, evolve, decide };
