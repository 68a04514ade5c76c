import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { inPast, type Past } from '../past.js';
import { queryText } from './request-context.js';

export const asOfHeader = 'x-larder-as-of';

/**
 * Routes that do not answer from views. Either the route reads `asOf` by itself (`itself`), or it has no history and
 * says why (501).
 */
export type AsOfExceptions = Readonly<Record<string, 'itself' | { why: string }>>;

/**
 * `asOf=<log sequence | ISO 8601 time>` on every GET below `/api/v1`: the handler sees the states of that moment, and
 * the answer names its sequence in `X-Larder-As-Of`.
 * @param exceptions by the route's path
 */
export function serveThePast(
  fastify: FastifyInstance,
  travel: { visit(asOf: string, signal: AbortSignal): Promise<Past> },
  exceptions: AsOfExceptions,
): void {
  // A hook with a callback: what is called within `inPast` stays in the past. What follows an async hook would not.
  fastify.addHook('onRequest', (request, reply, done) => {
    let asOf: string | undefined;
    try {
      asOf = asOfFor(request, exceptions);
    } catch (error) {
      done(error as Error);
      return;
    }
    if (asOf === undefined) {
      done();
      return;
    }
    travel.visit(asOf, whileAnybodyWaits(reply)).then(
      (past) => {
        void reply.header(asOfHeader, String(past.sequence));
        inPast(past, done);
      },
      (error: unknown) => done(error as Error),
    );
  });
}

function asOfFor(request: FastifyRequest, exceptions: AsOfExceptions): string | undefined {
  const route = request.routeOptions.url;
  const given = (request.query as Record<string, unknown> | undefined)?.asOf;
  if (given === undefined || !route?.startsWith('/api/v1/')) return undefined;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new DomainError('Malformed', 'as-of-on-write', `asOf can be given with GET only, not with ${request.method}`);
  }
  const asOf = queryText(given);
  if (asOf === undefined) throw new DomainError('Malformed', 'bad-moment', 'asOf must not be empty');
  const exception = Object.hasOwn(exceptions, route) ? exceptions[route] : undefined;
  if (exception === 'itself') return undefined;
  if (exception) throw new DomainError('Refused', 'no-history', exception.why, { httpStatus: 501 });
  return asOf;
}

/** Aborted when the client disconnects before it has its answer. */
function whileAnybodyWaits(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (reply.raw.writableFinished) return;
    // The client has gone and reads no answer. 499 is what proxies log for this; it is no fault to be logged.
    controller.abort(new DomainError('Refused', 'client-gone', 'the client has gone', { httpStatus: 499 }));
  });
  return controller.signal;
}
