import { once } from 'node:events';
import { type AuditEvent } from '../index.js';
import { EventStream, type EventSource } from './event-stream.js';

const eventAt = (sequence: number, index = 0, text = '') =>
  ({ sequence, index, data: { text } }) as unknown as AuditEvent;

const eager = { heartbeatMs: 10, stallMs: 60_000 };
const quiet = { heartbeatMs: 60_000, stallMs: 60_000 };

// eslint-disable-next-line require-yield
async function* forever(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

/** An endless source of commits of about a kilobyte each. It counts how many were read. */
function endless(): { source: EventSource; taken: () => number; ended: Promise<void> } {
  let taken = 0;
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  async function* source(signal: AbortSignal) {
    try {
      while (!signal.aborted) {
        taken++;
        await new Promise(setImmediate);
        yield { sequence: taken, events: [eventAt(taken, 0, 'x'.repeat(1000))] };
      }
    } finally {
      end();
    }
  }
  return { source, taken: () => taken, ended };
}

it('a stream tells its position, sends events with their cursors, and ends in good order', async () => {
  const stream = new EventStream('7', quiet);
  async function* source() {
    yield { sequence: 8, events: [eventAt(8, 0), eventAt(8, 2)] };
    yield await Promise.resolve({ sequence: 9, events: [] });
  }
  await stream.send(source);
  const text = (await stream.body.toArray()).map(String).join('');
  expect(text.split('\n\n')).toEqual([
    'retry: 1000\nid: 7',
    `id: 8.0\ndata: ${JSON.stringify(eventAt(8, 0))}`,
    `id: 8.2\ndata: ${JSON.stringify(eventAt(8, 2))}`,
    '',
  ]);
});

it('a heartbeat carries the cursor up to which the log was read', async () => {
  const stream = new EventStream('7', eager);
  async function* source(signal: AbortSignal) {
    yield { sequence: 9, events: [] };
    yield* forever(signal);
  }
  const sending = stream.send(source);
  let text = '';
  stream.body.on('data', (chunk) => (text += String(chunk)));
  while (!text.includes(': heartbeat\nid: 9\n\n')) await new Promise((again) => setTimeout(again, 5));
  stream.end();
  await sending;
});

it('only a small part of the log is read for a client that reads nothing', async () => {
  const { source, taken, ended } = endless();
  const stream = new EventStream('0', eager);
  const sending = stream.send(source);
  let before: number;
  do {
    before = taken();
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  } while (taken() !== before);
  expect(before).toBeLessThan(100);
  expect(stream.body.readableLength).toBeLessThan(128 * 1024);
  // It continues where it stopped when the client reads again.
  const seen = new Set<string>();
  let text = '';
  for await (const chunk of stream.body) {
    text += String(chunk);
    for (const [, id] of text.matchAll(/id: (\d+)\.0\n/g)) seen.add(id);
    if (seen.size > 300) break;
  }
  expect([...seen].slice(0, 300)).toEqual(Array.from({ length: 300 }, (_, i) => String(i + 1)));
  await Promise.all([ended, sending]);
});

it('a client that reads nothing for long is cut off', async () => {
  const { source, ended } = endless();
  const stream = new EventStream('0', { heartbeatMs: 60_000, stallMs: 20 });
  const failed = once(stream.body, 'error');
  await stream.send(source);
  expect(String(await failed)).toContain('the client reads nothing');
  await ended;
});

it('the reading stops when the client has gone, and at an end', async () => {
  for (const stop of [(stream: EventStream) => stream.body.destroy(), (stream: EventStream) => stream.end()]) {
    const { source, ended } = endless();
    const stream = new EventStream('0', quiet);
    const sending = stream.send(source);
    await new Promise(setImmediate);
    stop(stream);
    await Promise.all([ended, sending]);
  }
});

it('a source that fails cuts the client off', async () => {
  const stream = new EventStream('0', quiet);
  const failed = once(stream.body, 'error');
  // eslint-disable-next-line require-yield
  async function* source(): AsyncGenerator<never> {
    await Promise.resolve();
    throw new Error('the log is damaged');
  }
  await stream.send(source);
  expect(String(await failed)).toContain('the log is damaged');
});
