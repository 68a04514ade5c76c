import { type AddressInfo } from 'node:net';
import { Module, type Provider } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import type { CacheStore } from '#cache-store';
import {
  acceptJsonBodies,
  guardRequests,
  httpLimits,
  limitRequests,
  logRequests,
  NestPinoLogger,
  StatusFilter,
  unroutedErrors,
  type KnownHosts,
} from '#runtime';
import type { ClusterView } from '../agent/log/cluster-view.js';
import type { ClearStale } from '../copies/clear-stale.js';
import type { CopyRemover } from '../copies/copy-remover.js';
import type { PassiveCache } from '../passive/passive-cache.js';
import type { QuotaTrimmer } from '../policies/quota-trimmer.js';
import type { UnmountedCopies } from '../stores/unmounted-copies.js';
import {
  cacheToken,
  clearStaleToken,
  fileIndexEnabledToken,
  passiveToken,
  readinessToken,
  quotaTrimmerToken,
  removerToken,
  unmountedToken,
  viewToken,
  type Readiness,
} from '../tokens.js';
import { ClearStaleController } from './clear-stale.controller.js';
import { CopiesController } from './copies.controller.js';
import { FileIndexController } from './file-index.controller.js';
import { HealthController } from './health.controller.js';
import { ObjectsController } from './objects.controller.js';
import { QuotaController } from './quota.controller.js';
import { UfsFaultFilter } from './ufs-fault.js';

@Module({})
class WorkerHttpModule {}

export interface HttpServer {
  /** The port that was bound. */
  port: number;
  close(): Promise<void>;
}

/** 10,000 of the longest paths. */
const bodyLimitBytes = 32 * 1024 * 1024;

const controllers = [
  ObjectsController,
  CopiesController,
  ClearStaleController,
  FileIndexController,
  QuotaController,
  HealthController,
];

export interface HttpServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** What may be served. */
  cache: CacheStore;
  /** Copies that may not be served. */
  unmounted: UnmountedCopies;
  view: ClusterView;
  passive: PassiveCache;
  remover: CopyRemover;
  clearStale: ClearStale;
  quotaTrimmer: QuotaTrimmer;
  /** Whether the file index is served. */
  fileIndex: boolean;
  readiness: Readiness;
  /** The host names by which this worker may be asked. */
  hosts: KnownHosts;
  logger: Logger;
}

/**
 * Serves the cache, answers peers and coordinators about it, and reports whether the worker is alive and ready.
 * @throws when the port cannot be bound
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const adapter = new FastifyAdapter({
    bodyLimit: bodyLimitBytes,
    forceCloseConnections: true,
    // Fastify's own HEAD routes would run the GET, drop the body and state no length.
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true },
    requestTimeout: httpLimits.requestTimeout,
    http: httpLimits,
    ...unroutedErrors,
  });
  const fastify = adapter.getInstance();
  logRequests(fastify, { logger: options.logger, changesAtInfo: false });
  guardRequests(fastify, options.hosts);
  const providers: Provider[] = [
    { provide: cacheToken, useValue: options.cache },
    { provide: unmountedToken, useValue: options.unmounted },
    { provide: viewToken, useValue: options.view },
    { provide: passiveToken, useValue: options.passive },
    { provide: quotaTrimmerToken, useValue: options.quotaTrimmer },
    { provide: removerToken, useValue: options.remover },
    { provide: clearStaleToken, useValue: options.clearStale },
    { provide: fileIndexEnabledToken, useValue: options.fileIndex },
    { provide: readinessToken, useValue: options.readiness },
    { provide: APP_FILTER, useClass: StatusFilter },
    { provide: APP_FILTER, useClass: UfsFaultFilter },
  ];
  acceptJsonBodies(fastify);
  const module = { module: WorkerHttpModule, controllers, providers };
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    bodyParser: false,
    logger: new NestPinoLogger(options.logger),
  });
  limitRequests(app.getHttpServer());
  await app.listen(options.port, options.host);
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { port, close: () => app.close() };
}
