import path from 'node:path';
import { within } from '#async';
import { CacheOpenError, openCacheStore } from '#cache-store';
import { directoryFault, failedWithin, makeUsableDirectory, type ProcessConfig } from '#config';
import { MarkFile } from '#contexts/log/marks';
import { Refusal } from '#process';
import type { Logger } from 'pino';
import { createLogger, KnownHosts } from '#runtime';
import { BatchCheckpoints } from './agent/batches/batch-checkpoints.js';
import { RunningJournal } from './agent/batches/running-journal.js';
import { WorkerAgent } from './agent/worker-agent.js';
import { startHttpServer, type HttpServer } from './http/http-server.js';
import { loadIdentity } from './identity.js';
import { CacheStores } from './stores/cache-stores.js';
import type { Readiness } from './tokens.js';
import { WorkerServices } from './worker-services.js';

/**
 * How long a stop waits for NATS, running work and readers. Shorter than a supervisor's limit, so that the cache is
 * always closed cleanly.
 */
const leaveWithinMs = 1_000;
const closeWithinMs = 400;

export interface RunningWorker {
  workerId: string;
  /** `host:port` of the read path, as announced to others. */
  address: string;
  logger: Logger;
  /** Resolves when batches are being taken; rejects when the worker is stopped before. */
  ready: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Opens the cache, serves it, and joins the cluster as soon as the cluster can be reached.
 * @param onFatal the log cannot be read any further: the process must end
 * @throws Refusal, ConfigError for faults that a restart would not cure
 */
export async function startWorker(
  config: ProcessConfig,
  version: string,
  onFatal: (error: unknown) => void,
): Promise<RunningWorker> {
  const logger = createLogger('worker', config.logLevel);
  makeUsableDirectory('LARDER_CACHE_DIR', config.cacheDir, { mayBeFull: true });
  // The cache first: its lock guarantees that no other process uses this directory, its identity and its journal.
  const copies = await openCache(config, (message, details) => logger.warn(details ?? {}, message));
  try {
    const identity = await loadIdentity(config.cacheDir);
    logger.setBindings({ workerId: identity.workerId });
    const journal = await RunningJournal.open(path.join(config.cacheDir, 'running'));
    const checkpoints = await BatchCheckpoints.open(path.join(config.cacheDir, 'progress'));
    const mark = await MarkFile.open(path.join(config.cacheDir, 'log-mark.json'), (line) => logger.warn(line));
    const stores = await CacheStores.open(config.cacheDir, logger);
    const services = new WorkerServices(config, identity.workerId, { copies, stores }, logger);
    const { cache } = services;
    const readiness: { of: Readiness } = { of: () => ({ missing: 'the worker is starting' }) };
    const http = await listen(config, services, logger, () => readiness.of());
    const address = config.workerAdvertise ?? `${hostForUrl(config.workerHost)}:${http.port}`;
    logger.info({ address }, 'worker listens');
    const kept = { cache, journal, checkpoints, mark };
    // Save the mark first: it says what was seen of a log that has just lost something.
    const end = (error: unknown) => void mark.flush().then(() => onFatal(error));
    const agent = new WorkerAgent({ config, identity, address, ...kept, services, version, logger, onFatal: end });
    readiness.of = () => readinessOf(agent, services);
    const closeServices = async () => {
      await http.close();
      await services.close();
    };
    const stop = async () => {
      try {
        await within(agent.stop(), leaveWithinMs);
        await mark.flush();
        await within(closeServices(), closeWithinMs);
      } finally {
        await copies.close();
      }
    };
    return { workerId: identity.workerId, address, logger, ready: agent.start(), stop };
  } catch (error) {
    await copies.close();
    throw failedWithin(config.cacheDir, error) ? directoryFault('LARDER_CACHE_DIR', config.cacheDir, error) : error;
  }
}

/** A mount that cannot be opened is a warning. A key ring that opens none of them belongs to another cluster. */
function readinessOf(agent: WorkerAgent, services: WorkerServices): ReturnType<Readiness> {
  const missing = agent.notReady();
  if (missing !== undefined) return { missing };
  const { sentences: warnings, all } = services.closedMounts();
  return all ? { missing: `no mount can be opened: ${warnings.join('; ')}` } : { warnings };
}

async function openCache(config: ProcessConfig, log: (message: string, details?: Record<string, unknown>) => void) {
  try {
    return await openCacheStore({ directory: config.cacheDir, capacityBytes: config.cacheBytes, log });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof CacheOpenError || (error as NodeJS.ErrnoException).syscall !== undefined) {
      throw new Refusal(`LARDER_CACHE_DIR: ${config.cacheDir} cannot be used: ${reason}.`, { cause: error });
    }
    throw error;
  }
}

async function listen(
  config: ProcessConfig,
  services: WorkerServices,
  logger: Logger,
  readiness: Readiness,
): Promise<HttpServer> {
  const { workerHost: host, workerPort: port, fileIndex, hostnames, workerAdvertise: advertised } = config;
  const hosts = new KnownHosts({ listenHost: host, hostnames, advertised });
  const { cache, unmounted, view, passive, remover, clearStale, quotaTrimmer } = services;
  const own = { cache, unmounted, view, passive, remover, clearStale, quotaTrimmer, fileIndex };
  try {
    return await startHttpServer({ host, port, ...own, readiness, hosts, logger });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E(ADDR|ACCES)/.test(code)) throw error;
    throw new Refusal(`LARDER_WORKER_PORT: ${host}:${port} cannot be listened on (${code}).`, { cause: error });
  }
}

function hostForUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
