import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import type { KnownHosts } from './known-hosts.js';
import { identityOf, refuseOwnNames } from './request-context.js';

/**
 * Checks each request before anything else: the host asked for (`Host`), the web page that asks (`Origin`), the actor's
 * name (`X-Larder-Actor`), whether the query can be decoded, and whether the body is sent without an encoding.
 */
export function guardRequests(fastify: FastifyInstance, hosts: KnownHosts): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    try {
      requireKnownHost(request, hosts);
      requireTrustedOrigin(request, hosts);
      refuseOwnNames(identityOf(request));
      requireReadableQuery(request);
      if (isEncoded(request)) {
        void reply.header('accept-encoding', 'identity');
        throw new DomainError('Malformed', 'encoded-body', encodedBody, { httpStatus: 415 });
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

const encodedBody = 'a request body with a Content-Encoding is not taken: send it as it is';
const maxShown = 100;

/** @throws DomainError Malformed, or one with HTTP status 421 (RFC 9110, section 15.5.20) */
function requireKnownHost({ headers, raw }: FastifyRequest, hosts: KnownHosts): void {
  const { host } = headers;
  if (timesGiven(raw.rawHeaders, 'host') > 1)
    throw new DomainError('Malformed', 'repeated-host', 'the Host header must be given once');
  // Probes of balancers that use HTTP/1.0 send none; browsers always do.
  if (host === undefined && raw.httpVersion === '1.0') return;
  if (!host) throw new DomainError('Malformed', 'no-host', 'the Host header is missing (RFC 9112, section 3.2)');
  if (hosts.knows(host)) return;
  const text = `this process is not known as ${JSON.stringify(host.slice(0, maxShown))}; to allow that name, add it to LARDER_HOSTNAMES`;
  throw new DomainError('Refused', 'unknown-host', text, { httpStatus: 421 });
}

/** @param headers names and values in turn, as they were sent. @param name in lower case */
function timesGiven(headers: readonly string[], name: string): number {
  let times = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].length === name.length && headers[i].toLowerCase() === name) times++;
  }
  return times;
}

/**
 * Only browsers send `Origin` and `Sec-Fetch-Site`, and a page cannot prevent that.
 * @throws DomainError with HTTP status 403
 */
function requireTrustedOrigin({ method, headers }: FastifyRequest, hosts: KnownHosts): void {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return;
  const { origin, host } = headers;
  const isForeign = origin !== undefined && !hosts.trustsOrigin(origin, host);
  if (!isForeign && headers['sec-fetch-site'] !== 'cross-site') return;
  const from = origin === undefined ? 'another site' : JSON.stringify(origin.slice(0, maxShown));
  const text = `a web page of ${from} may not change anything here; to allow it, add its host to LARDER_HOSTNAMES`;
  throw new DomainError('Refused', 'foreign-origin', text, { httpStatus: 403 });
}

/**
 * Refuses a value that cannot be decoded. It would be taken literally, and then equal one that was encoded correctly.
 * @throws DomainError Malformed
 */
function requireReadableQuery({ raw }: FastifyRequest): void {
  const at = raw.url?.indexOf('?') ?? -1;
  if (at < 0) return;
  if (!raw.url!.includes('%', at)) return;
  for (const parameter of raw.url!.slice(at + 1).split('&')) {
    try {
      decodeURIComponent(parameter);
    } catch {
      const shown = parameter.slice(0, maxShown);
      throw new DomainError(
        'Malformed',
        'bad-query',
        `the query must be UTF-8 in percent-encoding, with %25 for a %: ${shown}`,
      );
    }
  }
}

function isEncoded({ headers }: FastifyRequest): boolean {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  return encoding !== '' && encoding !== 'identity';
}
