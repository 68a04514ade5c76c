import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { ConfigError, exitWithSupervisor, loadConfig, type ProcessConfig } from '#config';
import { document, knownNames } from '#contexts/api-docs';
import { Presence } from '#contexts/jobs/owner';
import { LogDamagedError } from '#jetstream';
import { DomainError } from '#kernel';
import { acceptJsonBodies, nameTheIgnored, serveConsistently, serveThePast, Shutdown, unroutedErrors } from '#runtime';
import { AppModule } from './app.module.js';
import { asOfExceptions } from './as-of-exceptions.js';
import { RequestDrain } from './drain.js';
import { openInfrastructure } from './infrastructure.js';
import { NestPinoLogger } from './nest-pino-logger.js';
import { ReadinessGate } from './readiness-gate.js';

/** A refusal that a restart cannot mend: the supervisor must not try again. */
const refusedExitCode = 78;

/** Longer than the requests that are under way may take. */
const stopLimitMs = 12_000;

async function main(config: ProcessConfig): Promise<void> {
  const logger = pino({ level: config.logLevel, base: { process: 'coordinator' } });
  const gate = await ReadinessGate.open(config.port, config.host);
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
  nameTheIgnored(fastify, knownNames(document));
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.of(infrastructure, shutdown), adapter, {
    bodyParser: false,
    logger: new NestPinoLogger(logger),
  });
  app.setGlobalPrefix('api/v1', { exclude: ['healthz', 'readyz'] });
  const presence = app.get(Presence);
  infrastructure.snapshotWriter.isSelf = () => presence.isChosen('snapshots');
  const stop = async (): Promise<void> => {
    // NATS may hold the last steps up for ever. What is not done by then is somebody else's, or done again.
    setTimeout(() => process.exit(0), stopLimitMs).unref();
    await requests.run(app.getHttpServer(), config.drainMs);
    await app.close();
    infrastructure.views.close();
    await infrastructure.mark?.flush();
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
  gate.waitFor('the log is being read');
  await infrastructure.views.becomeReady();
  await app.init();
  const { port } = gate;
  await gate.close();
  await app.listen(port, config.host);
  logger.info({ address: await app.getUrl(), coordinatorId: infrastructure.heartbeats.selfId }, 'coordinator ready');
}

/** One sentence for the operator, and an exit code that says whether trying again can help. */
function refuse(error: unknown): never {
  const isRefusal = error instanceof ConfigError || (error instanceof DomainError && error.kind !== 'Unavailable');
  const isExplained = isRefusal || (error instanceof DomainError && error.kind === 'Unavailable');
  const inUse = (error as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
  const message = inUse
    ? 'LARDER_PORT: the port is already in use'
    : error instanceof Error
      ? error.message
      : String(error);
  const hint = error instanceof LogDamagedError ? '; see docs/safe-start.md' : '';
  process.stderr.write(
    `coordinator: ${isExplained || inUse ? message + hint : error instanceof Error ? error.stack : message}\n`,
  );
  process.exit(isRefusal || inUse ? refusedExitCode : 1);
}

try {
  await main(loadConfig(process.env, 'coordinator'));
} catch (error) {
  refuse(error);
}
