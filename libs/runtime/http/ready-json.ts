import type { FastifyInstance } from 'fastify';

/** Held for as long as the value itself, and no longer. */
const texts = new WeakMap<object, string>();

/**
 * Keeps the JSON text of an answer, or of one of its `results`, with its value, so that it need not be made anew each
 * time that it is sent.
 * @param value must not change any more
 */
export function withJson<T extends object>(value: T, json: string): T {
  texts.set(value, json);
  return value;
}

/** Sends texts that are ready as they are. What is sent equals `JSON.stringify` of the answer, byte for byte. */
export function sendReadyJson(fastify: FastifyInstance): void {
  fastify.setReplySerializer(jsonOf);
}

export function jsonOf(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null) return JSON.stringify(answer);
  const ready = texts.get(answer);
  if (ready !== undefined) return ready;
  const { results } = answer as { results?: unknown };
  // A list whose first item is not ready is no list of ready items.
  if (!Array.isArray(results) || !isReady(results[0])) return JSON.stringify(answer);
  const fields = Object.entries(answer).map(([name, value]) => {
    const json = value === results ? listOf(results) : (JSON.stringify(value) as string | undefined);
    return json === undefined ? [] : `${JSON.stringify(name)}:${json}`;
  });
  return `{${fields.flat().join(',')}}`;
}

function listOf(items: readonly unknown[]): string {
  let list = '';
  for (const item of items) {
    const json = isReady(item) ? texts.get(item)! : ((JSON.stringify(item) as string | undefined) ?? 'null');
    list += list === '' ? json : `,${json}`;
  }
  return `[${list}]`;
}

function isReady(value: unknown): value is object {
  return typeof value === 'object' && value !== null && texts.has(value);
}
