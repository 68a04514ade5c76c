import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { commandContext, pageCount, queryText, Shutdown } from '#runtime';
import { JobReader } from './job-reader.js';
import { JobSubmissions, type Submission } from './job-submissions.js';

/** What the routes of all job kinds have in common. */
@Injectable()
export class JobEndpoint {
  constructor(
    private readonly reader: JobReader,
    private readonly submissions: JobSubmissions,
    private readonly shutdown: Shutdown,
  ) {}

  /** All jobs of a kind, or a page of them: `count` and `lastKey` as later versions of the API have them. */
  list(kind: string, query: Record<string, unknown>): Record<string, unknown> {
    const count = pageCount(query.count);
    const results = this.reader.list(kind, { lastKey: queryText(query.lastKey), count });
    return { results, ...(results.length > 0 && count !== undefined ? { lastKey: results.at(-1)?.id } : {}) };
  }

  /** 200 with the id, or 409 with the id of the job that already works on the target; with `sync` at the job's end. */
  async submit(submission: Submission, sync: boolean, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { jobId, outcome, details } = await this.submissions.submit(submission, commandContext(request));
    if (outcome === 'existing') {
      await reply.code(409).send({ id: jobId, ...details });
      return;
    }
    const answer = sync ? await this.atEnd(submission.kind, jobId, request) : { id: jobId };
    await reply.code(200).send(answer);
  }

  /** A coordinator that is about to stop answers with the progress so far: the job goes on, and can be asked for. */
  private async atEnd(kind: string, jobId: string, request: FastifyRequest): Promise<Record<string, unknown>> {
    const { closing } = this.shutdown;
    try {
      return await this.reader.atEnd(kind, jobId, AbortSignal.any([closed(request), closing]));
    } catch (error) {
      if (!closing.aborted) throw error;
      return this.reader.byId(kind, jobId);
    }
  }

  async stop(kind: string, id: string, request: FastifyRequest): Promise<{ status: 'ok' }> {
    await this.submissions.stop(kind, id, commandContext(request));
    return { status: 'ok' };
  }
}

/** Aborted when the client has gone: nobody waits for the answer any more. The job goes on. */
function closed(request: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  request.raw.socket.once('close', () => controller.abort());
  return controller.signal;
}
