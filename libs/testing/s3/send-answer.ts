import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './faults.js';
import type { Answer } from './reading.js';

const sliceMs = 20;

/**
 * Sends an answer, with a fault of its body. Ends early, without an error, when the client goes away.
 * @returns the number of body bytes written
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  withBody: boolean,
  fault?: Fault,
): Promise<number> {
  const announced = answer.lengthBytes + (fault?.kind === 'length' ? fault.offBy : 0);
  const length = answer.isLengthSent === false ? {} : { 'content-length': Math.max(0, announced) };
  response.writeHead(answer.status, { ...answer.headers, ...length });
  let sent = 0;
  if (withBody) {
    response.flushHeaders();
    for await (const chunk of faultyBody(response, answer.body, fault)) {
      if (response.destroyed) return sent;
      sent += chunk.length;
      if (!response.write(chunk)) await drained(response);
    }
  }
  if (fault?.kind === 'truncate' || fault?.kind === 'length') await breakConnection(response, fault);
  else response.end();
  return sent;
}

async function* faultyBody(response: ServerResponse, body: Answer['body'], fault?: Fault): AsyncGenerator<Buffer> {
  if (fault?.kind === 'slow') {
    yield* slowly(body, fault.bytesPerSecond);
    return;
  }
  // Bytes until the fault; infinite without one, or after it.
  let left = fault?.kind === 'truncate' || fault?.kind === 'pause' ? fault.afterBytes : Infinity;
  for await (const chunk of body) {
    const cut = Math.min(left, chunk.length);
    if (cut > 0) yield chunk.subarray(0, cut);
    left -= cut;
    if (left > 0) continue;
    if (fault?.kind === 'truncate') return;
    left = Infinity;
    // Without `until`, the pause ends when the client leaves or the server stops.
    const closed = once(response, 'close');
    await (fault?.kind === 'pause' && fault.until !== undefined ? Promise.race([fault.until, closed]) : closed);
    if (cut < chunk.length) yield chunk.subarray(cut);
  }
}

async function* slowly(body: Answer['body'], bytesPerSecond: number): AsyncGenerator<Buffer> {
  const sliceBytes = Math.max(1, Math.floor((bytesPerSecond * sliceMs) / 1000));
  const pauseMs = (sliceBytes * 1000) / bytesPerSecond;
  for await (const chunk of body) {
    for (let offset = 0; offset < chunk.length; offset += sliceBytes) {
      yield chunk.subarray(offset, offset + sliceBytes);
      await delay(pauseMs);
    }
  }
}

/** Waits until there is room to write, or the stream is closed. */
async function drained(stream: Writable): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  const quietly = (event: string): Promise<unknown> => once(stream, event, { signal }).catch(() => undefined);
  await Promise.race([quietly('drain'), quietly('close')]);
  // Removes the other listener. `quietly` expects its rejection.
  settled.abort();
}

async function breakConnection(response: ServerResponse, fault: Fault): Promise<void> {
  const { socket } = response;
  if (socket === null || socket.destroyed) return;
  // The written bytes must leave this process first: a reset discards those that still wait.
  await new Promise<void>((resolve) => socket.write('', () => resolve()));
  if (fault.kind === 'truncate' && fault.how === 'reset') socket.resetAndDestroy();
  else socket.end();
}
