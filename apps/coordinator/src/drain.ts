import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Shutdown } from '#runtime';

/** All of it: after so long, what is still open is cut off. */
const limitMs = 10_000;
const pollMs = 20;
/** Whoever was let in at the last moment has so long to say what it wants. */
const lastWordsMs = 500;

/**
 * Ends the service of requests so that none fails which reached this process while it lived: first balancers get the
 * time to notice, then nobody new is let in, and everyone inside is answered.
 */
export class RequestDrain {
  private underWay = 0;

  constructor(
    fastify: FastifyInstance,
    private readonly shutdown: Shutdown,
  ) {
    fastify.addHook('onRequest', (_request, reply, done) => {
      this.underWay++;
      reply.raw.once('close', () => this.underWay--);
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
    const deadlineMs = performance.now() + limitMs;
    this.shutdown.drain();
    await delay(noticeMs);
    this.shutdown.close();
    server.close();
    await delay(Math.min(noticeMs, lastWordsMs));
    server.closeIdleConnections();
    while (this.underWay > 0 && performance.now() < deadlineMs) await delay(pollMs);
  }
}
