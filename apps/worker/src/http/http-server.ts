import { type AddressInfo, type Socket } from 'node:net';
import { Module, type LoggerService, type Provider } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { CacheStore } from '#cache-store';
import { StatusFilter } from '#runtime';
import { cacheToken, readinessToken, type Readiness } from '../tokens.js';
import { HealthController } from './health.controller.js';
import { ObjectsController } from './objects.controller.js';

@Module({})
class WorkerHttpModule {}

function refuseBrokenHttp(error: ConnectionError, socket: Socket): void {
  // Nobody is left to read an answer.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const body = JSON.stringify({ status: 'the request is not valid HTTP' });
  const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}

export interface HttpServer {
  /** The port that was bound. */
  port: number;
  close(): Promise<void>;
}

export interface HttpServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  cache: CacheStore;
  readiness: Readiness;
  logger: LoggerService;
}

/** Serves the cache, and whether the worker is alive and ready. @throws when the port cannot be bound */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const adapter = new FastifyAdapter({
    forceCloseConnections: true,
    // Its own HEAD routes would run the GET, drop the body and say that it has no length.
    exposeHeadRoutes: false,
    // Both come before any route, so that no filter of Nest's sees them.
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      void reply.code(error.statusCode ?? 400).send({ status: error.message });
    },
    clientErrorHandler: refuseBrokenHttp,
  });
  const providers: Provider[] = [
    { provide: cacheToken, useValue: options.cache },
    { provide: readinessToken, useValue: options.readiness },
    { provide: APP_FILTER, useClass: StatusFilter },
  ];
  const module = { module: WorkerHttpModule, controllers: [ObjectsController, HealthController], providers };
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: options.logger });
  await app.listen(options.port, options.host);
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { port, close: () => app.close() };
}
