import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, misspeltName } from '#kernel';

export const ignoredHeader = 'x-larder-ignored';

/** Fields by name; a field whose value is an object with fields has its names as value. */
export interface FieldNames {
  readonly [field: string]: FieldNames | undefined;
}

/** The parameters and fields that a route accepts. */
export interface RouteNames {
  readonly query: readonly string[];
  /** Absent where the route takes no body. */
  readonly body?: FieldNames;
}

/** How many are checked and named. The rest of a body with very many unknown names is dropped without a word. */
const namedAtMost = 100;
const inHeaderAtMost = 20;
const longestName = 100;

type Given = readonly [name: string, value: unknown];

/**
 * Tells clients which of their fields and query parameters were ignored. One that looks like a known name misspelt is
 * refused. Any other unknown one, as clients of other versions of the API send them, is named: in the answer's
 * `ignored` if the answer is an object, and always in `X-Larder-Ignored`.
 * @param routes by method and path, such as `GET /api/v1/load`; other routes are left alone
 */
export function nameTheIgnored(fastify: FastifyInstance, routes: ReadonlyMap<string, RouteNames>): void {
  const ignoredOf = new WeakMap<FastifyRequest, readonly Given[]>();
  const known = new Map([...routes].map(([route, names]) => [route, { ...names, parameters: fieldsOf(names.query) }]));
  // After the body is parsed and before it becomes a DTO.
  fastify.addHook('preValidation', (request, reply, done) => {
    try {
      const ignored = unknownNames(request, known);
      if (ignored.length > 0) {
        ignoredOf.set(request, ignored);
        nameInHeader(reply, ignored);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  // Only objects pass here: errors are sent as text.
  fastify.addHook('preSerialization', (request, _reply, payload, done) => {
    const ignored = ignoredOf.get(request);
    done(null, ignored && isObject(payload) ? withIgnored(payload, ignored) : payload);
  });
}

interface KnownNames extends RouteNames {
  /** `query` as fields. */
  readonly parameters: FieldNames;
}

function fieldsOf(names: readonly string[]): FieldNames {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

function unknownNames(request: FastifyRequest, routes: ReadonlyMap<string, KnownNames>): readonly Given[] {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const known = routes.get(`${method} ${request.routeOptions.url}`);
  if (!known) return [];
  const query = (request.query ?? {}) as Record<string, unknown>;
  const repeated = known.query.find((name) => Array.isArray(query[name]));
  if (repeated !== undefined) throw malformed('repeated-parameter', `${repeated} may be given once only`);
  const inQuery = unknownIn(query, known.parameters, '');
  if (!known.body) return inQuery.slice(0, namedAtMost);
  return [...inQuery, ...unknownIn(request.body, known.body, '')].slice(0, namedAtMost);
}

/** @param at prefix for the names: the object's place in the body, such as `options.` */
function unknownIn(given: unknown, known: FieldNames, at: string): Given[] {
  if (!isObject(given)) return [];
  const names = Object.keys(given);
  const unknown = names.filter((name) => !Object.hasOwn(known, name)).slice(0, namedAtMost);
  for (const name of unknown) {
    // Some clients write a list as `id[]=7`. Ignoring it would answer as if the client had asked for nothing.
    const like = misspeltName(name.replace(/\[[^\]]*\]$/, ''), Object.keys(known));
    if (like === undefined) continue;
    throw malformed('misspelt-name', `${at}${shown(name)} is not known here: did you mean ${at}${like}?`);
  }
  const below = names.flatMap((name) => {
    const fields = Object.hasOwn(known, name) ? known[name] : undefined;
    return fields ? unknownIn(given[name], fields, `${at}${name}.`) : [];
  });
  return [...unknown.map((name) => [`${at}${shown(name)}`, given[name]] as const), ...below];
}

/** In 409 answers `ignored` maps names to values that were not taken over; in others it is a list of names. */
function withIgnored(payload: Record<string, unknown>, given: readonly Given[]): Record<string, unknown> {
  const { ignored } = payload;
  if (isObject(ignored)) return { ...payload, ignored: { ...ignored, ...Object.fromEntries(given) } };
  const own = Array.isArray(ignored) ? (ignored as unknown[]) : [];
  return { ...payload, ignored: [...own, ...given.map(([name]) => name)] };
}

function nameInHeader(reply: FastifyReply, given: readonly Given[]): void {
  const names = given.slice(0, inHeaderAtMost).map(([name]) => encodeURIComponent(name));
  void reply.header(ignoredHeader, names.join(','));
}

function shown(name: string): string {
  return name.slice(0, longestName).toWellFormed();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(Symbol.asyncIterator in value);
}

function malformed(code: string, message: string): DomainError {
  return new DomainError('Malformed', code, message);
}
