import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { identityOf } from '../http/request-context.js';

export const requestIdHeader = 'x-request-id';

/** The code of a refusal or failure. Its sentence is logged only for this process's own failures. */
interface Fault {
  code: string;
  reason?: string;
}

const faults = new WeakMap<FastifyRequest, Fault>();

/** Notes, for the log line of a request, why its answer is an error. @param reason must not repeat the request */
export function noteFault(request: FastifyRequest, code: string, reason?: string): void {
  faults.set(request, { code, ...(reason === undefined ? {} : { reason }) });
}

export interface RequestLinesOptions {
  logger: Logger;
  /** Whether requests that may change something are at `info`. Else every answer below 500 is at `debug`. */
  changesAtInfo: boolean;
}

/**
 * Logs one line for each request, when its answer has left or its client has gone: method, route, status, time taken,
 * actor and id of the request, which the answer carries as well. No query and no body: these may hold secrets.
 *
 * A 500 is an `error`. When another system is away (502, 503, 504) it is a `warn`. All else, including refusals, is
 * normal for an API. Requests for health are frequent, and always at `debug`.
 */
export function logRequests(fastify: FastifyInstance, options: RequestLinesOptions): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const startedMs = performance.now();
    const identity = identityOf(request);
    void reply.header(requestIdHeader, identity.requestId);
    reply.raw.once('close', () => {
      const { method } = request;
      const route = routeOf(request);
      const status = reply.raw.statusCode;
      const level = levelOf(method, route, status, options.changesAtInfo);
      if (!options.logger.isLevelEnabled(level)) return;
      const gone = !reply.raw.writableFinished;
      const ms = Math.round((performance.now() - startedMs) * 10) / 10;
      const fault = faults.get(request);
      const line = { method, route, status, ms, ...identity, ...(gone ? { clientGone: true } : {}), ...fault };
      const why = level === 'warn' || level === 'error' ? `: ${fault?.reason ?? fault?.code ?? 'see above'}` : '';
      options.logger[level](line, `${method} ${route} ${status}${why}`);
    });
    done();
  });
}

const health: readonly string[] = ['/healthz', '/readyz'];
const maxPath = 100;

/** The route's pattern; without a route, the path alone. */
function routeOf({ routeOptions, url }: FastifyRequest): string {
  return routeOptions.url ?? url.split(/[?;#]/, 1)[0].slice(0, maxPath);
}

function levelOf(
  method: string,
  route: string,
  status: number,
  changesAtInfo: boolean,
): 'debug' | 'info' | 'warn' | 'error' {
  if (health.includes(route)) return 'debug';
  if (status >= 502 && status <= 504) return 'warn';
  if (status >= 500 && status !== 501) return 'error';
  const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  return isRead || !changesAtInfo ? 'debug' : 'info';
}
