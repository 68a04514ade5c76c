import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type NatsError, type StreamConfig, type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf, messageOf } from '../link/errors.js';
import { RetryBudget } from '../link/retry-budget.js';
import { isAtLeast, serverVersions } from '../link/server-versions.js';
import { type Names, streamConfigs, streamIdKey, streamIdOf } from '../names/streams.js';

/** Older releases can lose a replicated stream on a process kill (2.10.20 to 2.10.22) or break its guards (2.9). */
export const oldestNatsForReplicas = '2.10.23';
/** Older servers ignore the first sequence of a new stream. */
const oldestForFirstSequence = '2.10.0';

/** These fields of an existing stream must be as expected: a difference in any of them could lose data. */
const essential = [
  'retention',
  'storage',
  'subjects',
  'deny_delete',
  'max_age',
  'max_msgs',
  'max_bytes',
  'max_msgs_per_subject',
] as const satisfies (keyof StreamConfig)[];

/**
 * A cluster that is starting, or is busy, needs time for new replicated streams: its servers announce every ten seconds
 * that they can take one, and on a busy machine such a message may be lost.
 */
const budgetMs = 60_000;
/** A stream that was just created must keep its identity for so long. */
const settleMs = 250;

export interface EnsureOptions {
  /** Copies of each stream. Default 1. */
  readonly replicas?: number;
  /** First sequence of the log if it is created; for a restored log, that of the original. Default 1. */
  readonly firstSequence?: number;
  /** How long to retry each stream, milliseconds. Default: a minute. */
  readonly withinMs?: number;
}

/**
 * Creates the streams and the object store, or checks those that exist. All replicas may call it at once. It adds
 * replicas to a stream that has too few, and never removes any.
 *
 * @throws DomainError Refused: `nats-too-old`, `stream-misconfigured`, `stream-refused`; Unavailable after a minute,
 *   `no-peers` when there are still too few servers.
 */
export async function ensureStreams(link: NatsLink, names: Names, options: EnsureOptions = {}): Promise<void> {
  const replicas = options.replicas ?? 1;
  const { firstSequence = 1 } = options;
  if (replicas > 1) await refuseOldServers(link, replicas);
  if (firstSequence > 1 && !isAtLeast(link.serverVersion, oldestForFirstSequence)) {
    const text = `a log that begins at sequence ${firstSequence} needs nats-server ${oldestForFirstSequence} or later; this one is ${link.serverVersion}`;
    throw new DomainError('Refused', 'nats-too-old', text);
  }
  for (const config of streamConfigs(names, replicas)) {
    const begins = config.name === names.eventStream && firstSequence > 1 ? { first_seq: firstSequence } : {};
    await retryUntilEnsured(link, { ...config, ...begins }, options.withinMs ?? budgetMs);
  }
}

/** Any server may come to lead a stream, so each one that answers must be new enough. */
async function refuseOldServers(link: NatsLink, replicas: number): Promise<void> {
  const others = await serverVersions(link.serverAddresses);
  for (const { address, version } of [{ address: 'the one connected to', version: link.serverVersion }, ...others]) {
    if (isAtLeast(version, oldestNatsForReplicas)) continue;
    throw new DomainError(
      'Refused',
      'nats-too-old',
      `${replicas} replicas need nats-server ${oldestNatsForReplicas} or later everywhere; ${address} is ${version}`,
    );
  }
}

async function retryUntilEnsured(
  link: NatsLink,
  config: Partial<StreamConfig> & { name: string },
  withinMs: number,
): Promise<void> {
  const retry = new RetryBudget(link, withinMs);
  let waitsFor: unknown;
  while (await retry.next()) {
    try {
      return await link.abortable(() => ensureStream(link, config));
    } catch (error) {
      if (error instanceof DomainError && error.kind !== 'Unavailable') throw error;
      if (isRefused(error)) {
        const text = `NATS refuses stream ${config.name}: ${messageOf(error)}`;
        throw new DomainError('Refused', 'stream-refused', text, { cause: error });
      }
      if (messageOf(error) !== messageOf(waitsFor)) {
        link.log('info', `stream ${config.name} is not available yet`, { reason: messageOf(error) });
      }
      waitsFor = error;
      retry.note(error);
    }
  }
  if (apiCodeOf(waitsFor) === ApiCode.noSuitablePeers) throw tooFewPeers(config, withinMs, waitsFor);
  throw retry.exhausted();
}

function tooFewPeers({ name, num_replicas }: Partial<StreamConfig>, withinMs: number, cause: unknown): DomainError {
  const text =
    `NATS finds no ${num_replicas} servers for stream ${name} within ${Math.round(withinMs / 1000)} s ` +
    `(${messageOf(cause)}): start as many with JetStream and room on disk, or set LARDER_NATS_REPLICAS to fewer`;
  return new DomainError('Unavailable', 'no-peers', text, { cause });
}

/** Refusals that pass: the servers have not all met yet, or another replica was quicker. */
const notYet: ReadonlySet<number> = new Set([ApiCode.noSuitablePeers, ApiCode.streamNameInUse]);

/** Whether the answer is not just "not now". For streams, a wrong request can be answered with a 500, too. */
function isRefused(error: unknown): boolean {
  const answer = (error as NatsError).api_error;
  return answer !== undefined && answer.code !== 503 && !notYet.has(apiCodeOf(error) ?? 0);
}

async function ensureStream(link: NatsLink, config: Partial<StreamConfig> & { name: string }): Promise<void> {
  const { jsm } = link;
  let existing: StreamConfig;
  try {
    existing = (await jsm.streams.info(config.name)).config;
  } catch (error) {
    if (apiCodeOf(error) !== ApiCode.streamNotFound) throw error;
    existing = (await createStream(link, config)).config;
  }
  for (const key of essential) {
    const [wanted, actual] = [JSON.stringify(config[key] ?? false), JSON.stringify(existing[key] ?? false)];
    if (wanted !== actual) {
      throw new DomainError(
        'Refused',
        'stream-misconfigured',
        `stream ${config.name} has ${key} ${actual} where it must have ${wanted}`,
      );
    }
  }
  if (config.num_replicas! > existing.num_replicas) {
    await jsm.streams.update(config.name, { num_replicas: config.num_replicas });
    link.log('info', `stream ${config.name} gets ${config.num_replicas} replicas`, { had: existing.num_replicas });
  }
}

/**
 * Another replica may create the stream at the same moment, which is no error. Of several such requests at once the
 * last one counts, metadata included. So the answer is accepted only when the stream's identity stays the same.
 */
async function createStream(link: NatsLink, config: Partial<StreamConfig> & { name: string }): Promise<StreamInfo> {
  const { jsm } = link;
  const replicated = config.num_replicas! > 1;
  let info = await jsm.streams.add(replicated ? { ...config, metadata: { [streamIdKey]: randomUUID() } } : config);
  link.log('info', `created stream ${config.name}`, { replicas: config.num_replicas });
  while (replicated) {
    const before = streamIdOf(info);
    await delay(settleMs);
    info = await jsm.streams.info(config.name);
    if (streamIdOf(info) === before) break;
  }
  return info;
}
