import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError, misspeltName } from '#kernel';

export const ignoredHeader = 'x-larder-ignored';

/** Fields by name; a field that is an object with fields of its own holds theirs. */
export interface FieldNames {
  readonly [field: string]: FieldNames | undefined;
}

/** What a route takes. */
export interface RouteNames {
  readonly query: readonly string[];
  /** Absent where the route takes no body. */
  readonly body?: FieldNames;
}

/** So many are looked at and named: the rest of a body of nothing but odd names is dropped without a word. */
const namedAtMost = 100;
const inHeaderAtMost = 20;
const longestName = 100;

type Given = readonly [name: string, value: unknown];

/**
 * Nothing that a client asked for is passed over in silence. A field or query parameter that looks like a known one
 * misspelt is refused; any other unknown one, as clients of other versions of the API send them, is named: in the
 * answer's `ignored` where that is an object, and always in `X-Larder-Ignored`.
 * @param routes by method and path, such as `GET /api/v1/load`; what is not among them is left alone
 */
export function nameTheIgnored(fastify: FastifyInstance, routes: ReadonlyMap<string, RouteNames>): void {
  const ignoredOf = new WeakMap<FastifyRequest, readonly Given[]>();
  // After the body was parsed, before it is made a DTO.
  fastify.addHook('preValidation', (request, reply, done) => {
    try {
      const ignored = unknownNames(request, routes);
      if (ignored.length > 0) {
        ignoredOf.set(request, ignored);
        nameInHeader(reply, ignored);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  // Only for bodies that are objects; errors are sent as text.
  fastify.addHook('preSerialization', (request, _reply, payload, done) => {
    const ignored = ignoredOf.get(request);
    done(null, ignored && isObject(payload) ? withIgnored(payload, ignored) : payload);
  });
}

function unknownNames(request: FastifyRequest, routes: ReadonlyMap<string, RouteNames>): readonly Given[] {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const known = routes.get(`${method} ${request.routeOptions.url}`);
  if (!known) return [];
  const query = (request.query ?? {}) as Record<string, unknown>;
  const repeated = known.query.find((name) => Array.isArray(query[name]));
  if (repeated !== undefined) throw malformed('repeated-parameter', `${repeated} may be given once only`);
  const names = Object.fromEntries(known.query.map((name) => [name, undefined]));
  const unknown = [...unknownIn(query, names, ''), ...(known.body ? unknownIn(request.body, known.body, '') : [])];
  return unknown.slice(0, namedAtMost);
}

/** @param at of the object in the body: `options.` */
function unknownIn(given: unknown, known: FieldNames, at: string): Given[] {
  if (!isObject(given)) return [];
  const names = Object.keys(given);
  const unknown = names.filter((name) => !Object.hasOwn(known, name)).slice(0, namedAtMost);
  for (const name of unknown) {
    // `id[]=7` is how some clients write a list: passed over, it would be answered as if nothing had been asked for.
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

/** 409 answers have a map of what was not taken over by name and value; the others get a list of names. */
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
