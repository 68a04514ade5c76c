import { Injectable } from '@nestjs/common';
import { EventStore } from '#jetstream';
import { DomainError, type CommandContext } from '#kernel';
import { CommandHandler, Heartbeats, ownContext, Recorder, Views } from '#runtime';
import { job, jobBoundary, jobGone, jobs, quotaBoundary, type JobCommand, type Pass } from '../index.js';

/** Appends to the boundaries of jobs, by default with this coordinator as the actor. */
@Injectable()
export class JobWriter {
  private readonly actor: string;

  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly store: EventStore,
    private readonly recorder: Recorder,
    bus: Heartbeats,
  ) {
    this.actor = `coordinator:${bus.selfId}`;
  }

  /** Appends to the job's boundary under its expected sequence and waits until the views show it. */
  async execute(jobId: string, command: JobCommand, context: CommandContext = ownContext(this.actor)): Promise<void> {
    const load = () => {
      const record = this.views.get(jobs).jobs.get(jobId);
      // Finished jobs leave the view after a while.
      if (!record) throw jobGone();
      return { state: record.state, sequence: record.sequence };
    };
    await this.commands.execute({ boundary: jobBoundary.of(jobId), decider: job, load }, command, context);
  }

  /**
   * Reserves bytes below quotas, under the sequence that the estimate was made at. A reservation that another job has
   * made meanwhile makes this one conflict.
   * @throws DomainError StaleVersion when another job has done so meanwhile
   */
  async reserve(jobId: string, pass: Pass, step: number, bytes: Record<string, number>): Promise<void> {
    const data = { jobId, pass, step, bytes };
    const events = this.recorder.record([{ type: 'QuotaReserved', data }], ownContext(this.actor));
    try {
      const { sequence } = await this.store.append(quotaBoundary.name, this.views.get(jobs).quotaSequence, events);
      await this.views.waitFor(sequence);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'StaleVersion') await this.views.caughtUp();
      throw error;
    }
  }
}
