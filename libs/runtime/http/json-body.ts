import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { DomainError } from '#kernel';

/** Deeper than any documented body, and shallow enough for every recursive function that reads it. */
const maxDepth = 32;

/**
 * Parses `application/json` bodies. Depth is checked before parsing, and keys that could reach a prototype are refused.
 * An empty body is no body.
 */
export function acceptJsonBodies(fastify: FastifyInstance): void {
  fastify.addHook('preParsing', discardOversized);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, bodyOf(parseJson(utf8Text(body as Buffer))));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** A longer body is not read at all. */
const maxDiscardedBytes = 64 * 1024 * 1024;

/**
 * Reads and drops a body that will be refused for its length. If the connection were closed at once, a client that is
 * still sending would see a broken connection and not the 413.
 */
async function discardOversized(request: FastifyRequest, _reply: FastifyReply, payload: RequestPayload): Promise<void> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length <= request.routeOptions.bodyLimit || length > maxDiscardedBytes) return;
  const ended = new Promise<void>((resolve) => payload.once('close', resolve).once('end', resolve));
  payload.resume();
  await ended;
}

/** Refuses text that is not UTF-8: a name in it would arrive changed (RFC 8259, section 8.1). */
function utf8Text(body: Buffer): string {
  if (isUtf8(body)) return body.toString('utf8');
  throw new DomainError('Malformed', 'body-not-utf8', 'the request body must be JSON in UTF-8');
}

function bodyOf(value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object' && !Array.isArray(value)) return value;
  throw new DomainError('Malformed', 'body-not-object', 'the request body must be a JSON object');
}

export function parseJson(given: string): unknown {
  // A byte order mark at the start is not part of the text (RFC 8259, section 8.1).
  const text = given.startsWith('\ufeff') ? given.slice(1) : given;
  if (text.trim() === '') return undefined;
  if (depthOf(text) > maxDepth) {
    throw new DomainError('Malformed', 'json-too-deep', `the request body is nested deeper than ${maxDepth} levels`);
  }
  try {
    return parseTolerantly(text);
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    // The reason quotes the text, which may hold control characters.
    const reason = (cause as Error).message.replace(/\p{Cc}/gu, ' ');
    throw new DomainError('Malformed', 'bad-json', `the request body is not valid JSON: ${reason}`);
  }
}

/** The reference's own example of a rebalance has a comma behind its last option, and clients copy it. */
function parseTolerantly(text: string): unknown {
  try {
    return JSON.parse(text, refusePrototypeKeys);
  } catch (error) {
    const repaired = withoutTrailingCommas(text);
    if (repaired === text || error instanceof DomainError) throw error;
    return JSON.parse(repaired, refusePrototypeKeys);
  }
}

/**
 * Drops each comma between a value and the `}` of its object. No pattern: on some texts it would take quadratic time.
 */
function withoutTrailingCommas(text: string): string {
  const kept: string[] = [];
  let from = 0;
  let comma: number | undefined;
  let previous = ',';
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"') inString = false;
    } else if (c.trim() !== '') {
      if (c === '}' && comma !== undefined) {
        kept.push(text.slice(from, comma));
        from = comma + 1;
      }
      comma = c === ',' && !',:[{'.includes(previous) ? i : undefined;
      inString = c === '"';
      previous = c;
    }
  }
  return kept.join('') + text.slice(from);
}

function refusePrototypeKeys(this: unknown, key: string, value: unknown): unknown {
  if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
    throw new DomainError('Malformed', 'forbidden-key', `the request body must not hold the key '${key}'`);
  }
  return value;
}

/** The deepest nesting of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return deepest;
}
