import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Shutdown } from '#runtime';

/** All of it: after so long, what has no answer yet is told that it gets none here. */
const limitMs = 10_000;
/** Then so long is left for those words to go out, before the rest is cut off. */
const farewellMs = 500;
const pollMs = 20;
/** Whoever was let in at the last moment has so long to say what it wants. */
const lastWordsMs = 500;
/** A turn of the event loop so short has left nothing unread that had come before it. */
const quietTurnMs = 5;

/**
 * Ends the service of requests so that none fails which reached this process while it lived: first balancers get the
 * time to notice, then nobody new is let in, and everyone inside is answered.
 */
export class RequestDrain {
  private readonly underWay = new Set<FastifyReply>();

  constructor(
    fastify: FastifyInstance,
    private readonly shutdown: Shutdown,
    private readonly limit: { limitMs: number } = { limitMs },
  ) {
    fastify.addHook('onRequest', (_request, reply, done) => {
      this.underWay.add(reply);
      reply.raw.once('close', () => this.underWay.delete(reply));
      done();
    });
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      // A connection that is kept for the next request would break with it.
      if (shutdown.draining.aborted) void reply.header('connection', 'close');
      done(null, payload);
    });
  }

  /** @param noticeMs how long balancers need to notice */
  async run(server: Server, noticeMs: number): Promise<void> {
    const deadlineMs = performance.now() + this.limit.limitMs;
    this.shutdown.drain();
    await delay(noticeMs);
    this.shutdown.close();
    await untilRead(deadlineMs);
    stopListening(server);
    await delay(Math.min(noticeMs, lastWordsMs));
    do {
      await this.untilAnswered(deadlineMs);
      await untilRead(deadlineMs);
    } while (this.underWay.size > 0 && performance.now() < deadlineMs);
    this.refuseTheRest();
    await this.untilAnswered(performance.now() + farewellMs);
    server.closeIdleConnections();
  }

  private async untilAnswered(deadlineMs: number): Promise<void> {
    while (this.underWay.size > 0 && performance.now() < deadlineMs) await delay(pollMs);
  }

  /** Its client need not guess from a broken connection; of a change it cannot know in either case. */
  private refuseTheRest(): void {
    const status =
      'this coordinator has stopped before it had an answer: what was asked may be done or not; ask another';
    for (const reply of this.underWay) {
      if (reply.sent) continue;
      const headers = { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' };
      void reply.code(503).headers(headers).send(JSON.stringify({ status }));
    }
  }
}

/**
 * Takes no further connections and leaves those that are open alone. `http.Server.close` also ends those that are kept
 * for a next request (Node.js API reference, `server.close`, since 19.0), and a request on its way on one of them with it.
 */
function stopListening(server: Server): void {
  NetServer.prototype.close.call(server);
}

/**
 * Lets the event loop take in what the system has already accepted: what it holds unread is reset when it is closed.
 * A turn that takes long leaves time for more to come, so it goes on until one is short.
 */
async function untilRead(deadlineMs: number): Promise<void> {
  for (let tookMs = Infinity; tookMs > quietTurnMs && performance.now() < deadlineMs;) {
    // Connections are taken and requests read between the two.
    await nextTurn();
    const fromMs = performance.now();
    await nextTurn();
    tookMs = performance.now() - fromMs;
  }
}
