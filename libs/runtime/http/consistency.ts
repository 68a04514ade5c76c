import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { noteArrival } from '../answer-time.js';

export const sequenceHeader = 'x-larder-sequence';
export const staleHeader = 'x-larder-stale';

/** How long to wait for a sequence that a request brings along; the rest of the time is for the request itself. */
const sequenceWithinMs = 9_000;

export interface ViewClock {
  /** Last log sequence the views include. */
  readonly appliedSequence: number;
  waitFor(sequence: number, timeoutMs?: number): Promise<void>;
  /** As `Views.freshen`. */
  freshen(): Promise<number | undefined>;
  /** Milliseconds since the views were last known to be complete; undefined while the log answers. */
  staleMs(): number | undefined;
}

/**
 * One log, seen alike through every replica. A GET sees everything that was acknowledged before it came, by any
 * replica, so a client behind a balancer need not know of replicas. While the log does not answer, GETs are answered
 * from the views as they are, and say how old these may be. An answer carries the sequence of its views. A request that
 * brings a sequence back is answered only by views that include it.
 */
export function serveConsistently(fastify: FastifyInstance, views: ViewClock): void {
  /** How old the views were when the request looked at them. */
  const staleness = new WeakMap<FastifyRequest, number>();
  const freshen = (request: FastifyRequest): Promise<void> =>
    views.freshen().then((staleMs) => {
      if (staleMs !== undefined) staleness.set(request, staleMs);
    });
  const prepare = async (request: FastifyRequest): Promise<void> => {
    const wanted = wantedSequence(request);
    if (wanted > views.appliedSequence) await views.waitFor(wanted, sequenceWithinMs);
    if (isRead(request)) await freshen(request);
  };
  fastify.addHook('onRequest', (request, _reply, done) => {
    noteArrival(request);
    // Most requests take one of the short ways: each promise in them would be paid for with every request.
    const bringsNone = request.headers[sequenceHeader] === undefined;
    if (bringsNone && !isRead(request)) done();
    else (bringsNone ? freshen(request) : prepare(request)).then(() => done(), done);
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    void reply.header(sequenceHeader, String(views.appliedSequence));
    const staleMs = staleness.get(request) ?? views.staleMs();
    if (staleMs !== undefined) void reply.header(staleHeader, String(Math.round(staleMs)));
    done(null, payload);
  });
}

/** The sequence that a request brings along; 0 without one. @throws DomainError Malformed */
function wantedSequence({ headers }: FastifyRequest): number {
  const wanted = headers[sequenceHeader];
  if (wanted === undefined) return 0;
  if (typeof wanted === 'string' && /^\d{1,15}$/.test(wanted)) return Number(wanted);
  throw new DomainError('Malformed', 'bad-sequence', 'X-Larder-Sequence must be a log sequence, a whole number');
}

/** Requests for health do not count: they are frequent, and have answers of their own. */
function isRead({ method, url }: FastifyRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && url.startsWith('/api/');
}
