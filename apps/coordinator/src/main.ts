import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { ConfigError, exitWithSupervisor, loadConfig, type ProcessConfig } from '#config';
import { Presence } from '#contexts/jobs/owner';
import { DomainError } from '#kernel';
import { acceptJsonBodies, serveConsistently, serveThePast, Shutdown, unroutedErrors } from '#runtime';
import { AppModule } from './app.module.js';
import { asOfExceptions } from './as-of-exceptions.js';
import { RequestDrain } from './drain.js';
import { openInfrastructure } from './infrastructure.js';
import { NestPinoLogger } from './nest-pino-logger.js';

/** A refusal that a restart cannot mend: the supervisor must not try again. */
const refusedExitCode = 78;

async function main(config: ProcessConfig): Promise<void> {
  const logger = pino({ level: config.logLevel, base: { process: 'coordinator' } });
  const infrastructure = await openInfrastructure(
    config,
    (level, message, fields) => logger[level](fields ?? {}, message),
    (error) => refuse(error),
  );
  const adapter = new FastifyAdapter({
    bodyLimit: config.bodyLimitBytes,
    forceCloseConnections: true,
    trustProxy: config.trustedProxies ? [...config.trustedProxies] : false,
    routerOptions: { maxParamLength: 256 },
    ...unroutedErrors,
  });
  const fastify = adapter.getInstance();
  const shutdown = new Shutdown();
  const requests = new RequestDrain(fastify, shutdown);
  acceptJsonBodies(fastify);
  serveConsistently(fastify, infrastructure.views);
  serveThePast(fastify, infrastructure.timeTravel, asOfExceptions);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(infrastructure, shutdown), adapter, {
    bodyParser: false,
    logger: new NestPinoLogger(logger),
  });
  app.setGlobalPrefix('api/v1', { exclude: ['healthz', 'readyz'] });
  const presence = app.get(Presence);
  infrastructure.snapshotWriter.isSelf = () => presence.isChosen('snapshots');
  const stop = async (): Promise<void> => {
    await requests.run(app.getHttpServer(), config.drainMs);
    await app.close();
    infrastructure.views.close();
    await infrastructure.link.drain();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error(error, 'the stop was not clean');
          process.exit(1);
        },
      );
    });
  }
  exitWithSupervisor(stop);
  await infrastructure.views.becomeReady();
  await app.listen(config.port, config.host);
  logger.info({ address: await app.getUrl(), coordinatorId: infrastructure.heartbeats.selfId }, 'coordinator ready');
}

/** One sentence for the operator, and an exit code that says whether trying again can help. */
function refuse(error: unknown): never {
  const isRefusal = error instanceof ConfigError || (error instanceof DomainError && error.kind !== 'Unavailable');
  const inUse = (error as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  const message = inUse
    ? 'LARDER_PORT: the port is already in use'
    : error instanceof Error
      ? error.message
      : String(error);
  process.stderr.write(
    `coordinator: ${isRefusal || inUse ? message : error instanceof Error ? error.stack : message}\n`,
  );
  process.exit(isRefusal || inUse ? refusedExitCode : 1);
}

try {
  await main(loadConfig(process.env, 'coordinator'));
} catch (error) {
  refuse(error);
}
