import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { commandContext, CONFIG, pageCount, queryText, Shutdown, type LarderConfig } from '#runtime';
import type { Ok, Page } from '#schema';
import { wireStates, type WireState } from '../index.js';
import type { ExistingJobAnswer, JobIdAnswer, JobProgress } from '../kinds/index.js';
import { JobReader } from './job-reader.js';
import { JobSubmissions, type Submission } from './job-submissions.js';

/** How often a request that waits looks whether anybody can do its work. */
const lookMs = 250;

/** What the routes of all job kinds have in common. */
@Injectable()
export class JobEndpoint {
  constructor(
    private readonly reader: JobReader,
    private readonly submissions: JobSubmissions,
    private readonly shutdown: Shutdown,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  /**
   * All jobs of a kind, those in a `state` if one is asked for, or a page of them: `count` and `lastKey` as later versions
   * of the API have them. @throws DomainError Malformed
   */
  list(kind: string, query: Record<string, unknown>): Page<JobProgress> {
    const count = pageCount(query.count);
    const results = this.reader.list(kind, { lastKey: queryText(query.lastKey), count }, stateOf(query.state));
    return { results, ...(results.length > 0 && count !== undefined ? { lastKey: results.at(-1)?.id } : {}) };
  }

  /** The progress of the one job that was asked for, naming what else was asked and has no meaning beside it. */
  single(
    progress: JobProgress,
    query: Record<string, unknown>,
    ...others: string[]
  ): JobProgress & { readonly ignored?: readonly string[] } {
    const ignored = [...others, ...listing].filter((name) => queryText(query[name]) !== undefined);
    return ignored.length > 0 ? { ...progress, ignored } : progress;
  }

  /** 200 with the id, or 409 with the id of the job that already works on the target; with `sync` at the job's end. */
  async submit(submission: Submission, sync: boolean, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const submitted = await this.submissions.submit(submission, commandContext(request));
    const { jobId } = submitted;
    if (submitted.outcome === 'existing') {
      const existing: ExistingJobAnswer = { id: jobId, ...submitted.details };
      await reply.code(409).send(existing);
      return;
    }
    const answer: JobIdAnswer | JobProgress = sync ? await this.atEnd(submission.kind, jobId, request) : { id: jobId };
    await reply.code(200).send(answer);
  }

  /**
   * When its time is over, or no worker is up for long, or this coordinator is about to stop, the answer is the progress
   * so far: the job goes on, and can be asked for.
   */
  private async atEnd(kind: string, jobId: string, request: FastifyRequest): Promise<JobProgress> {
    const patience = this.patience();
    const over = AbortSignal.any([patience.signal, this.shutdown.closing]);
    try {
      return await this.reader.atEnd(kind, jobId, AbortSignal.any([closed(request), over]));
    } catch (error) {
      if (!over.aborted) throw error;
      return this.reader.byId(kind, jobId);
    } finally {
      patience.end();
    }
  }

  private patience(): { signal: AbortSignal; end(): void } {
    const { syncMs, syncNoWorkerMs } = this.config;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), syncMs);
    let lastUpMs = performance.now();
    const look = setInterval(() => {
      if (this.reader.isAnyWorkerUp()) lastUpMs = performance.now();
      else if (performance.now() - lastUpMs >= syncNoWorkerMs) over.abort();
    }, lookMs);
    const end = () => {
      clearTimeout(timer);
      clearInterval(look);
    };
    return { signal: over.signal, end };
  }

  async stop(kind: string, id: string, request: FastifyRequest): Promise<Ok> {
    await this.submissions.stop(kind, id, commandContext(request));
    return { status: 'ok' };
  }
}

/** Parameters that have a meaning to lists only. */
const listing = ['state', 'count', 'lastKey'];

function stateOf(value: unknown): WireState | undefined {
  const text = queryText(value);
  const state = wireStates.find((one) => one === text?.toUpperCase());
  if (text === undefined || state !== undefined) return state;
  throw new DomainError(
    'Malformed',
    'bad-state',
    `state must be one of ${wireStates.join(', ')}: ${text.slice(0, 100)}`,
  );
}

/** Aborted when the client has gone: nobody waits for the answer any more. The job goes on. */
function closed(request: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  request.raw.socket.once('close', () => controller.abort());
  return controller.signal;
}
