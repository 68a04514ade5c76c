import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { DomainError, type CommandContext } from '#kernel';
import { shareTime } from '../answer-time.js';

const maxTokenLength = 128;

/** The log names Larder's own processes and commands by these; no other actor may use them. */
const ownNames = ['coordinator', 'worker', 'operator', 'system', 'larder', 'static-mount-table'] as const;

export interface RequestIdentity {
  /** The user named in `X-Larder-Actor`, until there is authentication; else `anonymous`. */
  readonly actor: string;
  /** From `X-Request-Id`, else generated: the same in the log of this process and in every event. */
  readonly requestId: string;
}

const identities = new WeakMap<FastifyRequest, RequestIdentity>();

/** The actor and id of a request; the same at each call. */
export function identityOf(request: FastifyRequest): RequestIdentity {
  let identity = identities.get(request);
  if (!identity) {
    const actor = headerToken(request, 'x-larder-actor') ?? 'anonymous';
    identity = { actor, requestId: headerToken(request, 'x-request-id') ?? randomUUID() };
    identities.set(request, identity);
  }
  return identity;
}

/**
 * Refuses a user with the name of one of Larder's own processes: `coordinator:…`, `worker:…`, `operator:…`, `system:…`,
 * `larder:…` and `static-mount-table`, in upper or lower case, with or without what follows the name.
 * @throws DomainError Malformed
 */
export function refuseOwnNames({ actor }: RequestIdentity): void {
  const name = actor.toLowerCase().split(/[^a-z-]/, 1)[0];
  if (!ownNames.some((own) => own === name)) return;
  throw new DomainError(
    'Malformed',
    'reserved-actor',
    `X-Larder-Actor must not begin with '${name}': in the log that name stands for Larder itself`,
  );
}

/** Who asked, when, and through which request. */
export function commandContext(request: FastifyRequest): CommandContext {
  const identity = identityOf(request);
  refuseOwnNames(identity);
  return shareTime({ at: new Date().toISOString(), ...identity, source: request.ip }, request);
}

/** A header's value if it is short and printable: the log will keep it for ever. */
function headerToken(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value.slice(0, maxTokenLength) : undefined;
}

/** A query parameter that may be given once; '' counts as absent. @throws DomainError Malformed */
export function queryText(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const given = value.map((one) => JSON.stringify(one)).join(' and ');
    throw new DomainError('Malformed', 'repeated-parameter', `a query parameter may be given once only: ${given}`);
  }
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A query parameter that is `true` or `false`, by default false. @throws DomainError Malformed */
export function queryFlag(name: string, value: unknown): boolean {
  const text = queryText(value);
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new DomainError('Malformed', 'bad-flag', `${name} must be true or false: ${text.slice(0, 100)}`);
}

const maxPage = 100_000;

/** The `count` of a listing: the maximum number of entries. @throws DomainError Malformed */
export function pageCount(value: unknown): number | undefined {
  const text = queryText(value);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxPage) {
    throw new DomainError('Malformed', 'bad-count', `count must be a whole number from 1 to ${maxPage}: ${text}`);
  }
  return count;
}
