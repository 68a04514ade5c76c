import { type AddressInfo } from 'node:net';
import { Module, type LoggerService, type Provider } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { CacheStore } from '#cache-store';
import { StatusFilter } from '#runtime';
import { cacheToken, readinessToken, type Readiness } from '../tokens.js';
import { HealthController } from './health.controller.js';
import { ObjectsController } from './objects.controller.js';

@Module({})
class WorkerHttpModule {}

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
    frameworkErrors: (error, _request, reply) => {
      void reply.code(error.statusCode ?? 400).send({ status: error.message });
    },
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
