import { jobBoundary, type JobEvent, type WorkBatch } from '#contexts/jobs';
import type { DecodedCommit } from '#jetstream';
import { exhausted, type Commit } from '#kernel';

/** What a worker knows of a job. All of it may be older than a batch that it has in hand. */
interface JobStatus {
  /** The last log sequence of the job that is included. */
  sequence: number;
  /** By here the job was stopped, or ended: what was sent before is void. 0: never, as far as is known. */
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

/** How a batch stands with its job, as far as this worker knows. */
export interface BatchStanding {
  /** The batch is as new as this log sequence: only a stop behind it makes it void. */
  asOf: number;
  /** Set when the job was stopped or has ended since the batch was sent: its owner knows, and sends it again or never. */
  ended?: 'stopped' | 'finished';
  rate?: JobRate;
}

export interface JobStatesListener {
  /** What was sent of the job before this log sequence is void. */
  jobEnded(jobId: string, sequence: number, how: 'stopped' | 'finished'): void;
  /** It had been stopped. */
  jobResumed(jobId: string): void;
  jobRetuned(jobId: string, rate: JobRate): void;
}

/** Beyond this many, the jobs of which nothing was heard for longest are forgotten; one that turns up is looked up again. */
const maxKnownJobs = 10_000;

/**
 * The jobs this worker has met. Follows the log from the worker's start on; a job that is older is looked up once, by
 * the last thing the log says of it. That is no replay: `LogReads.lastOf` has seen to it.
 *
 * Batches come by another way than the log, and may be here long before what is told of their job up to the moment they
 * were sent. So nothing is judged by whether the job "is" stopped: a batch is void when the log tells of a stop, or of
 * the end, behind the sequence that the batch itself carries. No owner can record what it sent before a stop, and
 * whoever runs the job after it sends anew what was in flight; so to drop what is void loses nothing.
 */
export class JobStates {
  private readonly states = new Map<string, JobStatus>();
  private readonly lookups = new Map<string, Promise<JobStatus>>();

  /** @param lastOf the last commit on a boundary, undefined where there is none */
  constructor(
    private readonly lastOf: (boundary: string) => Promise<Commit | undefined>,
    private readonly listener: JobStatesListener,
  ) {}

  /** Takes in what the log says next. */
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
    // Asked after the batch was here: the last that the log says of its job is as new as one that does not say how new
    // it is. Unless that is a stop, for then it was sent before.
    const found = jobSequence === undefined ? await this.lookUp(jobId) : await this.statusOf(jobId);
    const asOf = jobSequence ?? (isOver(found) ? found.sequence - 1 : found.sequence);
    // What followed in the meantime is known better.
    const status = this.states.get(jobId) ?? found;
    const { rate } = status;
    return { asOf, ...(status.endedAt > asOf && { ended: howEnded(status) }), ...(rate && { rate }) };
  }

  /** Whether the log says that the job has ended for good. @throws what the look-up throws */
  async isFinished(jobId: string): Promise<boolean> {
    return (await this.lookUp(jobId)).finished;
  }

  /** Whether the last that the log says of the job is its stop or its end. @throws what the look-up throws */
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

  /** The batches of one job arrive together: one look-up that is under way answers them all. */
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
    // Not through `evolve`: nothing of a job met now runs here yet. One that is known goes on being followed by the log.
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
 * Takes in what the log says of jobs from a sequence on. A commit that was signed before its writer had seen as much may be
 * a replay of one that stands before `from`, which this worker has not read: then the log is asked. Such a commit is
 * rare, for coordinators are seldom far behind; so is the question.
 *
 * @param isInPlace as `LogReads.isInPlace`; told only of what cannot be believed by itself
 * @param failed told why the log could not be asked
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

/** Whether the last that is known of it is its stop or end. */
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
      // It was stopped just before, whether this worker has heard of that or not.
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
