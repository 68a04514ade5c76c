import type { JobEvent } from '#contexts/jobs';
import { jobBoundary } from '#contexts/jobs';
import { exhausted, type Commit } from '#kernel';

/** What a worker needs to know of a job. */
export interface JobStatus {
  /** False from `JobStopped` or `JobFinished` until `JobResumed`. */
  running: boolean;
  /** The highest owner's epoch seen. */
  epoch: number;
  /** Bytes/s per worker where a user has set it since the job was submitted. */
  bandwidth?: number;
  /** The last log sequence of the job that is included. */
  sequence: number;
}

export interface JobStatesListener {
  jobStopped(jobId: string): void;
  /** It had been stopped. */
  jobResumed(jobId: string): void;
  jobRetuned(jobId: string, bandwidth: number): void;
}

/** Beyond this many, jobs that ended longest ago are forgotten; one that turns up again is looked up again. */
const maxKnownJobs = 10_000;
const jobPrefix = jobBoundary('');

/**
 * The jobs this worker has met. Follows the log from the worker's start on; a job that is older is looked up once, by
 * the last thing the log says of it.
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
    if (!commit.boundary.startsWith(jobPrefix)) return;
    const jobId = commit.boundary.slice(jobPrefix.length);
    const known = this.states.get(jobId);
    if (known && known.sequence >= commit.sequence) return;
    const next = fold(known ?? initial, commit);
    this.remember(jobId, next);
    if (!next.running && known?.running !== false) this.listener.jobStopped(jobId);
    if (next.running && commit.events.some(({ type }) => type === 'JobResumed')) this.listener.jobResumed(jobId);
    if (next.bandwidth !== undefined && next.bandwidth !== known?.bandwidth) {
      this.listener.jobRetuned(jobId, next.bandwidth);
    }
  }

  known(jobId: string): JobStatus | undefined {
    return this.states.get(jobId);
  }

  /**
   * A job known as stopped is looked up again: its batch may be here before the word that it was resumed.
   * @throws what the look-up throws when the log cannot be reached
   */
  async statusOf(jobId: string): Promise<JobStatus> {
    const known = this.states.get(jobId);
    if (known?.running) return known;
    // The batches of one job arrive together: one look-up answers them all.
    let lookup = this.lookups.get(jobId);
    if (!lookup) {
      lookup = this.lookUp(jobId).finally(() => this.lookups.delete(jobId));
      this.lookups.set(jobId, lookup);
    }
    return lookup;
  }

  private async lookUp(jobId: string): Promise<JobStatus> {
    const commit = await this.lastOf(jobBoundary(jobId));
    // What followed in the meantime is known better.
    const known = this.states.get(jobId);
    if (known && (known.running || !commit || commit.sequence <= known.sequence)) return known;
    const status = commit ? fold(initial, commit) : initial;
    // Not through `evolve`: nothing of a job met now runs here yet. One that is known goes on being followed by the log.
    if (!known) this.remember(jobId, status);
    return status;
  }

  private remember(jobId: string, status: JobStatus): void {
    this.states.delete(jobId);
    this.states.set(jobId, status);
    if (this.states.size <= maxKnownJobs) return;
    for (const [id, { running }] of this.states) {
      if (running) continue;
      this.states.delete(id);
      return;
    }
  }
}

const initial: JobStatus = { running: true, epoch: 0, sequence: 0 };

function fold(status: JobStatus, commit: Commit): JobStatus {
  let next = status;
  for (const event of commit.events) next = evolveJob(next, event as unknown as JobEvent);
  return { ...next, sequence: commit.sequence };
}

function evolveJob(status: JobStatus, event: JobEvent): JobStatus {
  switch (event.type) {
    case 'JobStopped':
    case 'JobFinished':
      return { ...status, running: false };
    case 'JobResumed':
      return {
        ...status,
        running: true,
        ...(event.data.bandwidth !== undefined && { bandwidth: event.data.bandwidth }),
      };
    case 'JobRetuned':
      return { ...status, bandwidth: event.data.bandwidth };
    case 'JobAssumed':
      return { ...status, epoch: Math.max(status.epoch, event.data.epoch) };
    case 'BatchesPlanned':
    case 'BatchesDispatched':
    case 'BatchParked':
    case 'PassStarted':
      return status;
    default:
      return exhausted(event, status);
  }
}
