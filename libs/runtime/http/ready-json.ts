import type { FastifyInstance } from 'fastify';

/** Held for as long as the value itself, and no longer. */
const ready = new WeakMap<object, Buffer>();
const [opening, comma, closing] = ['[', ',', ']'].map((text) => Buffer.from(text));

/**
 * Keeps the JSON of an answer, or of one of its `results`, with its value, so that it need not be made again each time
 * that it is sent. It is kept as bytes: on a long list, joining and encoding strings would take longer than all else.
 * @param value must not change any more
 * @param json in UTF-8
 */
export function withJson<T extends object>(value: T, json: Buffer): T {
  ready.set(value, json);
  return value;
}

/** Sends JSON that is ready as it is. What is sent equals `JSON.stringify` of the answer, byte for byte. */
export function sendReadyJson(fastify: FastifyInstance): void {
  // Fastify takes bytes as well as text, but its types do not say so.
  fastify.setReplySerializer(jsonOf as (answer: unknown) => string);
}

export function jsonOf(answer: unknown): string | Buffer {
  if (typeof answer !== 'object' || answer === null) return JSON.stringify(answer);
  const whole = ready.get(answer);
  if (whole !== undefined) return whole;
  const { results } = answer as { results?: unknown };
  // A list whose first item is not ready is no list of ready items.
  return Array.isArray(results) && isReady(results[0]) ? joined(answer, results) : JSON.stringify(answer);
}

function joined(answer: object, results: readonly unknown[]): Buffer {
  const parts: Buffer[] = [];
  let before = '{';
  for (const [name, value] of Object.entries(answer)) {
    const json = value === results ? '' : (JSON.stringify(value) as string | undefined);
    if (json === undefined) continue;
    parts.push(Buffer.from(`${before}${JSON.stringify(name)}:${json}`));
    if (value === results) pushList(parts, results);
    before = ',';
  }
  return Buffer.concat([...parts, Buffer.from('}')]);
}

function pushList(parts: Buffer[], items: readonly unknown[]): void {
  let before = opening;
  for (const item of items) {
    parts.push(before, isReady(item) ? ready.get(item)! : Buffer.from(freshJson(item)));
    before = comma;
  }
  parts.push(closing);
}

/** What a list has in place of a value that JSON does not have is `null`. */
function freshJson(item: unknown): string {
  return JSON.stringify(item) ?? 'null';
}

function isReady(value: unknown): value is object {
  return typeof value === 'object' && value !== null && ready.has(value);
}
