import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { EventStore } from '#jetstream';
import { DomainError, fold, type CommandContext } from '#kernel';
import { CommandHandler, Recorder, timeLeft, untilAnswered, Views } from '#runtime';
import { slotBoundary, findJob, jobGone, jobs, slot, type JobRecord } from '../index.js';
import type { ExistingJobAnswer } from '../kinds/index.js';
import { JobWriter } from '../owner/index.js';
import { slotOf } from './slot-of.js';

export interface Submission {
  kind: string;
  target: string;
  /** Made up where the user gave none. */
  alias?: string;
  spec: { options: Record<string, unknown> } & Record<string, unknown>;
}

export type Submitted =
  | { jobId: string; outcome: 'started' }
  /** With what the submission changed of the existing job, and what it did not. */
  | { jobId: string; outcome: 'existing'; details: Omit<ExistingJobAnswer, 'id'> };

/** Commands on jobs of any kind: one unfinished job per slot, whatever the number of replicas that are asked. */
@Injectable()
export class JobSubmissions {
  constructor(
    private readonly store: EventStore,
    private readonly commands: CommandHandler,
    private readonly recorder: Recorder,
    private readonly views: Views,
    private readonly writer: JobWriter,
  ) {}

  async submit(submission: Submission, context: CommandContext): Promise<Submitted> {
    const { kind, target, spec } = submission;
    const alias = submission.alias || `${kind}-${randomUUID()}`;
    const boundary = slotOf(kind, target);
    const jobId = randomUUID();
    const leftMs = timeLeft(context);
    for (;;) {
      const last = await untilAnswered(leftMs, () => this.store.lastOf(boundary));
      const state = fold(slot, last?.commit ? slotBoundary.eventsIn(last.commit) : []);
      const holder = state.jobId === undefined ? undefined : await this.holder(kind, state.jobId, leftMs);
      if (holder) {
        const existing = await this.join(holder, submission, context);
        if (existing) return existing;
        continue; // it finished between our look and our command
      }
      const command = { type: 'Submit', jobId, kind, target, alias, spec, holderFinished: true } as const;
      const events = this.recorder.record(slot.decide(state, command), context);
      try {
        const { sequence } = await this.store.append(boundary, last?.sequence ?? 0, events, {
          atMostMs: leftMs(),
        });
        this.commands.committed(boundary, events, sequence);
        await this.views.waitFor(sequence, leftMs());
        return { jobId, outcome: 'started' };
      } catch (error) {
        if (!(error instanceof DomainError) || error.kind !== 'StaleVersion') throw error;
      }
    }
  }

  async stop(kind: string, jobId: string, context: CommandContext): Promise<void> {
    if (!(await this.views.find(() => findJob(this.views.get(jobs), kind, jobId)))) throw jobGone();
    await this.writer.execute(jobId, { type: 'Stop' }, context);
  }

  /** The job of that id as long as it has not finished; a job no longer in memory has. */
  private async holder(kind: string, jobId: string, leftMs: () => number): Promise<JobRecord | undefined> {
    await untilAnswered(leftMs, (timeoutMs) => this.views.caughtUp(timeoutMs));
    const record = findJob(this.views.get(jobs), kind, jobId);
    return record && record.state.status !== 'finished' ? record : undefined;
  }

  /** Resumes or retunes the unfinished job on this target; undefined when it has finished meanwhile. */
  private async join(
    holder: JobRecord,
    submission: Submission,
    context: CommandContext,
  ): Promise<Submitted | undefined> {
    const resumed = holder.state.status === 'stopped';
    const old = (holder.spec as Submission['spec']).options;
    const { bandwidth, ...others } = submission.spec.options;
    const current = holder.state.bandwidth ?? old.bandwidth;
    const retuned = typeof bandwidth === 'number' && bandwidth !== current;
    const ignored = Object.fromEntries(Object.entries(others).filter(([name, value]) => old[name] !== value));
    try {
      if (resumed)
        await this.writer.execute(holder.jobId, { type: 'Resume', ...(retuned ? { bandwidth } : {}) }, context);
      else if (retuned) await this.writer.execute(holder.jobId, { type: 'Retune', bandwidth }, context);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'job-gone') return undefined;
      throw error;
    }
    const applied = retuned ? { bandwidth } : {};
    return { jobId: holder.jobId, outcome: 'existing', details: { resumed, applied, ignored } };
  }
}
