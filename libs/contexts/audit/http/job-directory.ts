import { Injectable } from '@nestjs/common';
import { jobBoundary, jobs } from '#contexts/jobs';
import { slotOf } from '#contexts/jobs/http';
import { EventStore } from '#jetstream';
import { type RecordedEvent } from '#kernel';
import { Views } from '#runtime';

interface JobIdentity {
  readonly kind: string;
  readonly target: string;
}

/** A job's kind never changes: so many are remembered before all are forgotten. */
const maxRemembered = 10_000;

/** Which kind of job an id names: from the view, and for jobs that have left it from their last event. */
@Injectable()
export class JobDirectory {
  private readonly kinds = new Map<string, string>();

  constructor(
    private readonly views: Views,
    private readonly store: EventStore,
  ) {}

  /** The slot's boundary of the job that an id names; undefined where it names none, or one too new to be known here. */
  async slotOf(id: string): Promise<string | undefined> {
    if (!/^[0-9a-f-]{36}$/.test(id)) return undefined;
    const job = this.inView(id) ?? (await this.finished(id));
    return job && slotOf(job.kind, job.target);
  }

  /** @throws DomainError Unavailable when the log cannot be asked */
  async kindOf(jobId: string): Promise<string | undefined> {
    const known = this.inView(jobId)?.kind ?? this.kinds.get(jobId);
    if (known !== undefined) return known;
    let job = await this.finished(jobId);
    if (!job) {
      // Newer than our views, then.
      await this.views.caughtUp();
      job = this.inView(jobId) ?? (await this.finished(jobId));
    }
    if (job) this.remember(jobId, job.kind);
    return job?.kind;
  }

  /** What a reader of the log learns on its way. */
  learn({ type, data }: RecordedEvent): void {
    if (type !== 'JobSubmitted') return;
    const { jobId, kind } = data as { jobId: string; kind: string };
    this.remember(jobId, kind);
  }

  private remember(jobId: string, kind: string): void {
    if (this.kinds.size >= maxRemembered) this.kinds.clear();
    this.kinds.set(jobId, kind);
  }

  private inView(jobId: string): JobIdentity | undefined {
    return this.views.get(jobs).jobs.get(jobId);
  }

  private async finished(jobId: string): Promise<JobIdentity | undefined> {
    const last = await this.store.lastOf(jobBoundary.of(jobId));
    const events = last?.commit ? jobBoundary.eventsIn(last.commit) : [];
    return events.find((event) => event.type === 'JobFinished')?.data.summary as JobIdentity | undefined;
  }
}
