import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Shutdown } from '#runtime';

/** Limit of the whole drain. After it, every request without an answer gets a 503. */
const limitMs = 10_000;
/** How long these 503 answers may take before the remaining connections are cut. */
const farewellMs = 500;
const pollMs = 20;
/** How long a client that connected at the last moment may take to send its request. */
const lastWordsMs = 500;
/** After a turn of the event loop shorter than this, nothing that arrived before the turn is left unread. */
const quietTurnMs = 5;

/**
 * Stops serving so that no request fails that reached this process. First, balancers get time to notice. Then no new
 * connection is accepted, and all received requests are answered.
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
      // Do not keep the connection for another request: that request would fail.
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

  /** Answers the remaining requests, so that their clients do not only see a broken connection. */
  private refuseTheRest(): void {
    const status =
      'this coordinator has stopped before it had an answer: the request may be done or not; ask another coordinator';
    for (const reply of this.underWay) {
      if (reply.sent) continue;
      const headers = { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1' };
      void reply.code(503).headers(headers).send(JSON.stringify({ status }));
    }
  }
}

/**
 * Accepts no more connections and leaves open ones alone. `http.Server.close` also closes connections that are kept for
 * a next request (Node.js API reference, `server.close`, since 19.0). A request on its way on such a connection would
 * fail.
 */
function stopListening(server: Server): void {
  NetServer.prototype.close.call(server);
}

/**
 * Lets the event loop read what the system has already accepted, because closing resets unread connections. During a
 * long turn more may arrive, so it continues until a turn is short.
 */
async function untilRead(deadlineMs: number): Promise<void> {
  for (let tookMs = Infinity; tookMs > quietTurnMs && performance.now() < deadlineMs;) {
    // Connections are accepted and requests are read between the two turns.
    await nextTurn();
    const fromMs = performance.now();
    await nextTurn();
    tookMs = performance.now() - fromMs;
  }
}
