import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { exitWithSupervisor, loadConfig, requireWritableFile, type ProcessConfig } from '#config';
import { knownNames } from '#contexts/api-docs';
import { Presence } from '#contexts/jobs/owner';
import { MountKeys } from '#contexts/namespace';
import { LogDamagedError } from '#jetstream';
import { DomainError } from '#kernel';
import { exitOnSignals, exitSaying, Refusal } from '#process';
import {
  acceptJsonBodies,
  createLogger,
  guardRequests,
  httpLimits,
  KnownHosts,
  limitRequests,
  logRequests,
  nameTheIgnored,
  NestPinoLogger,
  sendReadyJson,
  serveConsistently,
  serveThePast,
  Shutdown,
  unroutedErrors,
} from '#runtime';
import { document } from './api-document.js';
import { AppModule } from './app.module.js';
import { asOfExceptions } from './as-of-exceptions.js';
import { RequestDrain } from './drain.js';
import { openInfrastructure } from './infrastructure.js';
import { ReadinessGate } from './readiness-gate.js';
import { watchMountKeys } from './watch-mount-keys.js';

/** Longer than open requests may take. */
const stopLimitMs = 12_000;

async function main(config: ProcessConfig): Promise<void> {
  const logger = createLogger('coordinator', config.logLevel);
  if (config.logMark !== undefined) requireWritableFile('LARDER_LOG_MARK', config.logMark);
  const gate = await ReadinessGate.open(config.port, config.host);
  const infrastructure = await openInfrastructure({
    config,
    logger,
    waitFor: (what) => gate.waitFor(what),
    onFatal: refuse,
  });
  const adapter = new FastifyAdapter({
    bodyLimit: config.bodyLimitBytes,
    forceCloseConnections: true,
    trustProxy: config.trustedProxies ? [...config.trustedProxies] : false,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    requestTimeout: httpLimits.requestTimeout,
    http: httpLimits,
    ...unroutedErrors,
  });
  const fastify = adapter.getInstance();
  const shutdown = new Shutdown();
  const requests = new RequestDrain(fastify, shutdown);
  logRequests(fastify, { logger, changesAtInfo: true });
  guardRequests(fastify, new KnownHosts({ listenHost: config.host, hostnames: config.hostnames }));
  acceptJsonBodies(fastify);
  serveConsistently(fastify, infrastructure.views);
  serveThePast(fastify, infrastructure.timeTravel, asOfExceptions);
  nameTheIgnored(fastify, knownNames(document));
  sendReadyJson(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(infrastructure, shutdown), adapter, {
    bodyParser: false,
    logger: new NestPinoLogger(logger),
  });
  limitRequests(app.getHttpServer());
  app.setGlobalPrefix('api/v1', { exclude: ['healthz', 'readyz'] });
  const presence = app.get(Presence);
  infrastructure.snapshotWriter.isSelf = () => presence.isChosen('snapshots');
  const stop = async (): Promise<void> => {
    await requests.run(app.getHttpServer(), config.drainMs);
    await app.close();
    infrastructure.views.close();
    await infrastructure.mark?.flush();
    await infrastructure.link.drain();
  };
  // NATS may block the last steps for ever. Other coordinators take over what is unfinished, or it is done again.
  exitOnSignals(stop, stopLimitMs, (error) => logger.error(error, 'the stop was not clean'));
  exitWithSupervisor(stop);
  await infrastructure.views.becomeReady();
  watchMountKeys(infrastructure.views, app.get(MountKeys), logger);
  gate.waitFor('the last preparations are under way');
  await app.init();
  const { port } = gate;
  await gate.close();
  await app.listen(port, config.host);
  logger.info({ address: await app.getUrl(), coordinatorId: infrastructure.heartbeats.selfId }, 'coordinator ready');
}

/** Prints one sentence for the operator. The exit code says whether another attempt can help. */
function refuse(error: unknown): never {
  const isRefusal = error instanceof Refusal || (error instanceof DomainError && error.kind !== 'Unavailable');
  const cannotListen = listenFault(error);
  const damaged = error instanceof LogDamagedError ? `${error.message}; see docs/safe-start.md` : undefined;
  const isExpected = isRefusal || error instanceof DomainError;
  exitSaying('coordinator', cannotListen ?? damaged ?? error, isExpected, isRefusal || cannotListen !== undefined);
}

function listenFault(error: unknown): string | undefined {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'LARDER_PORT: the port is already in use';
  return syscall === 'listen' ? `LARDER_HOST, LARDER_PORT: cannot be listened on: ${message}` : undefined;
}

try {
  await main(loadConfig(process.env, 'coordinator'));
} catch (error) {
  refuse(error);
}
