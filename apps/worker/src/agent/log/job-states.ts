import { jobBoundary, type JobEvent, type WorkBatch } from '#contexts/jobs';
import type { DecodedCommit } from '#jetstream';
import { exhausted, type Commit } from '#kernel';

/** What a worker knows of a job. All of it may be older than a batch that the worker has received. */
interface JobStatus {
  /** The last log sequence of the job that is included. */
  sequence: number;
  /**
   * The job was stopped, or ended, at or before this sequence: batches sent before are void. 0: never, as far as known.
   */
  endedAt: number;
  /** For good. */
  finished: boolean;
  /** Set by a user since the job was submitted. */
  rate?: JobRate;
}

/** What a job may move, bytes/s per worker, 0 = unlimited, and the log sequence that says so. */
export interface JobRate {
  bytesPerSecond: number;
  asOf: number;
}

/** The state of a batch's job, as far as this worker knows. */
export interface BatchStanding {
  /** The batch is as new as this log sequence: only a later stop makes it void. */
  asOf: number;
  /**
   * Set when the job was stopped or has ended since the batch was sent. Its owner knows, and sends the batch again or
   * never.
   */
  ended?: 'stopped' | 'finished';
  rate?: JobRate;
}

export interface JobStatesListener {
  /** Batches of the job that were sent before this log sequence are void. */
  jobEnded(jobId: string, sequence: number, how: 'stopped' | 'finished'): void;
  /** The job had been stopped. */
  jobResumed(jobId: string): void;
  jobRetuned(jobId: string, rate: JobRate): void;
}

/**
 * Beyond this number, the jobs without news for longest are forgotten. A forgotten job is looked up again when needed.
 */
const maxKnownJobs = 10_000;

/**
 * The jobs this worker has met. It follows the log from the worker's start on. An older job is looked up once, by the
 * last commit that the log has of it. That commit is no replay: `LogReads.lastOf` checks it.
 *
 * Batches do not come through the log. A batch may arrive long before this worker has read the log up to the moment the
 * batch was sent. So the test is not whether the job "is" stopped: a batch is void when the log has a stop, or the end,
 * behind the sequence that the batch itself carries. No owner can record what it sent before a stop, and the next owner
 * of the job sends again what was in flight. So dropping a void batch loses nothing.
 */
export class JobStates {
  private readonly states = new Map<string, JobStatus>();
  private readonly lookups = new Map<string, Promise<JobStatus>>();

  /** @param lastOf the last commit on a boundary, undefined where there is none */
  constructor(
    private readonly lastOf: (boundary: string) => Promise<Commit | undefined>,
    private readonly listener: JobStatesListener,
  ) {}

  /** Applies the next commit of the log. */
  evolve(commit: Commit): void {
    const jobId = jobBoundary.idsIn(commit.boundary)?.jobId;
    if (jobId === undefined) return;
    const known = this.states.get(jobId);
    if (known && known.sequence >= commit.sequence) return;
    const next = fold(known ?? initial, commit);
    this.remember(jobId, next);
    if (next.endedAt > (known?.endedAt ?? 0)) this.listener.jobEnded(jobId, next.endedAt, howEnded(next));
    if (commit.events.some(({ type }) => type === 'JobResumed')) this.listener.jobResumed(jobId);
    if (next.rate && next.rate.bytesPerSecond !== known?.rate?.bytesPerSecond) {
      this.listener.jobRetuned(jobId, next.rate);
    }
  }

  /** @throws what the look-up throws when the log cannot be reached */
  async standingOf({ jobId, jobSequence }: Pick<WorkBatch, 'jobId' | 'jobSequence'>): Promise<BatchStanding> {
    // The look-up begins after the batch arrived. For a batch without a sequence, the job's last commit is therefore
    // new enough. Only a stop is different: the batch was sent before it.
    const found = jobSequence === undefined ? await this.lookUp(jobId) : await this.statusOf(jobId);
    const asOf = jobSequence ?? (isOver(found) ? found.sequence - 1 : found.sequence);
    // A state from the log that arrived meanwhile is newer than the look-up.
    const status = this.states.get(jobId) ?? found;
    const { rate } = status;
    return { asOf, ...(status.endedAt > asOf && { ended: howEnded(status) }), ...(rate && { rate }) };
  }

  /** Whether the job has ended for good by the log. @throws what the look-up throws */
  async isFinished(jobId: string): Promise<boolean> {
    return (await this.lookUp(jobId)).finished;
  }

  /** Whether the job's last commit in the log is its stop or its end. @throws what the look-up throws */
  async isOver(jobId: string): Promise<boolean> {
    return isOver(await this.lookUp(jobId));
  }

  known(jobId: string): JobStatus | undefined {
    return this.states.get(jobId);
  }

  private statusOf(jobId: string): Promise<JobStatus> {
    const known = this.states.get(jobId);
    return known ? Promise.resolve(known) : this.lookUpOnce(jobId);
  }

  /** The batches of one job arrive together: they share one look-up. */
  private lookUpOnce(jobId: string): Promise<JobStatus> {
    let lookup = this.lookups.get(jobId);
    if (!lookup) {
      lookup = this.lookUp(jobId).finally(() => this.lookups.delete(jobId));
      this.lookups.set(jobId, lookup);
    }
    return lookup;
  }

  private async lookUp(jobId: string): Promise<JobStatus> {
    const commit = await this.lastOf(jobBoundary.of(jobId));
    const status = commit ? fold(initial, commit) : initial;
    // Not through `evolve`: no batch of a job met now runs here yet. A known job is still followed by the log.
    if (!this.states.has(jobId)) this.remember(jobId, status);
    return status;
  }

  private remember(jobId: string, status: JobStatus): void {
    this.states.delete(jobId);
    this.states.set(jobId, status);
    if (this.states.size > maxKnownJobs) this.states.delete(this.states.keys().next().value!);
  }
}

/**
 * Applies what the log has of jobs from a sequence on. A commit that was signed before its writer had seen as much may
 * be a replay of one before `from`, which this worker has not read: then the log is asked. Such commits are rare, as
 * coordinators are seldom far behind.
 *
 * @param isInPlace as `LogReads.isInPlace`; called only for commits that do not prove their own place
 * @param failed called with the reason why the log could not be asked
 */
export function jobsFrom(
  from: number,
  jobs: JobStates,
  isInPlace: (commit: DecodedCommit) => Promise<boolean>,
  failed: (error: unknown) => void,
): (commit: DecodedCommit) => void {
  return (commit) => {
    if (commit.seen === undefined || commit.seen[0] >= from - 1) jobs.evolve(commit);
    else isInPlace(commit).then((holds) => holds && jobs.evolve(commit), failed);
  };
}

const initial: JobStatus = { sequence: 0, endedAt: 0, finished: false };

/** Whether the job's last known commit is its stop or end. */
const isOver = ({ endedAt, sequence }: JobStatus): boolean => endedAt > 0 && endedAt === sequence;
const howEnded = ({ finished }: JobStatus): 'stopped' | 'finished' => (finished ? 'finished' : 'stopped');

function fold(status: JobStatus, commit: Commit): JobStatus {
  let next = status;
  for (const event of jobBoundary.eventsIn(commit)) next = evolveJob(next, event, commit.sequence);
  return { ...next, sequence: commit.sequence };
}

function evolveJob(status: JobStatus, event: JobEvent, sequence: number): JobStatus {
  switch (event.type) {
    case 'JobStopped':
      return { ...status, endedAt: sequence };
    case 'JobFinished':
      return { ...status, endedAt: sequence, finished: true };
    case 'JobResumed': {
      const { bandwidth } = event.data;
      // The job was stopped just before, also when this worker has not read of it.
      const endedAt = Math.max(status.endedAt, sequence - 1);
      return { ...status, endedAt, ...(bandwidth !== undefined && { rate: rateOf(bandwidth, sequence) }) };
    }
    case 'JobRetuned':
      return { ...status, rate: rateOf(event.data.bandwidth, sequence) };
    case 'JobAssumed':
    case 'BatchesPlanned':
    case 'BatchesDispatched':
    case 'ForgottenBatchesDispatched':
    case 'BatchParked':
    case 'PassStarted':
      return status;
    default:
      return exhausted(event, status);
  }
}

const rateOf = (bytesPerSecond: number, asOf: number): JobRate => ({ bytesPerSecond, asOf });
