import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { DomainError, type CommandContext } from '#kernel';
import { shareTime } from '../answer-time.js';

const maxTokenLength = 128;

/** Who asked, when, and through which request. `X-Larder-Actor` names the user until there is authentication. */
export function commandContext(request: FastifyRequest): CommandContext {
  const context = {
    at: new Date().toISOString(),
    actor: headerToken(request, 'x-larder-actor') ?? 'anonymous',
    requestId: headerToken(request, 'x-request-id') ?? randomUUID(),
    source: request.ip,
  };
  return shareTime(context, request);
}

/** A header's value if it is short and printable: it is going to be stored for ever. */
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

const maxPage = 100_000;

/** The `count` of a listing: how many entries at most. @throws DomainError Malformed */
export function pageCount(value: unknown): number | undefined {
  const text = queryText(value);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxPage) {
    throw new DomainError('Malformed', 'bad-count', `count must be a whole number from 1 to ${maxPage}: ${text}`);
  }
  return count;
}
