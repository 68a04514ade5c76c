import type { FastifyInstance } from 'fastify';
import { DomainError } from '#kernel';

export const sequenceHeader = 'x-larder-sequence';
export const staleHeader = 'x-larder-stale';

export interface ViewClock {
  /** Last log sequence the views include. */
  readonly appliedSequence: number;
  waitFor(sequence: number): Promise<void>;
  /** Milliseconds since the log could last be reached; undefined while it can. */
  staleMs(): number | undefined;
}

/**
 * Read your writes across replicas: an answer carries the sequence its views stood at, and a request that carries one
 * waits until this replica has it. While the log cannot be reached, answers from the views say how old they are.
 */
export function serveConsistently(fastify: FastifyInstance, views: ViewClock): void {
  fastify.addHook('onRequest', async (request) => {
    const wanted = request.headers[sequenceHeader];
    if (wanted === undefined) return;
    if (typeof wanted !== 'string' || !/^\d{1,15}$/.test(wanted)) {
      throw new DomainError('Malformed', 'bad-sequence', 'X-Larder-Sequence must be a log sequence, a whole number');
    }
    if (Number(wanted) > views.appliedSequence) await views.waitFor(Number(wanted));
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    void reply.header(sequenceHeader, String(views.appliedSequence));
    const staleMs = views.staleMs();
    if (staleMs !== undefined) void reply.header(staleHeader, String(Math.round(staleMs)));
    done(null, payload);
  });
}
