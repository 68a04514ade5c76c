import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { retryWhile } from '#async';
import { jobBoundary } from '#contexts/jobs';
import { logBoundary } from '#contexts/log';
import { membershipBoundary } from '#contexts/membership';
import { namespaceBoundary } from '#contexts/namespace';
import { judgeBy, LogGate, OwnSigner, type TrustRing } from '#contexts/trust/gate';
import {
  ApiCode,
  apiCodeOf,
  connectNats,
  EventStore,
  type EventCodec,
  Names,
  type Log,
  type NatsLink,
} from '#jetstream';
import { DomainError } from '#kernel';
import type { Logger } from 'pino';
import { workerCodec } from './worker-codec.js';

export interface ClusterLink {
  link: NatsLink;
  names: Names;
  codec: EventCodec;
  store: EventStore;
  /** Checks what this worker reads of the log. */
  gate: LogGate;
  /** The coordinators' keys. */
  ring: TrustRing;
}

export interface ClusterLinkOptions {
  natsUrl: string;
  cluster: string;
  workerId: string;
  /** Signs this worker's reports. */
  signingKey: KeyObject;
  ring: TrustRing;
  logger: Logger;
  signal: AbortSignal;
  /** Called as soon as NATS answers, before the streams exist. */
  connected: (link: NatsLink, names: Names) => void;
  /** Called with what is being waited for. */
  waiting: (what: string) => void;
}

const retryDelayMs = 250;

/**
 * Connects to NATS and waits for the streams without a time limit: a coordinator creates them, and processes start in
 * any order.
 * @throws the signal's reason; DomainError Malformed for an invalid address, Refused for wrong credentials
 */
export async function openClusterLink(options: ClusterLinkOptions): Promise<ClusterLink> {
  const { natsUrl, workerId, logger, signal, waiting } = options;
  const names = new Names(options.cluster);
  const log: Log = (level, message, fields) => logger[level](fields ?? {}, message);
  const connecting = { url: natsUrl, name: workerId, log, onWaiting: waiting, connectTimeoutMs: Infinity, signal };
  const link = await untilAvailable(logger, signal, () => connectNats(connecting));
  try {
    signal.throwIfAborted();
    options.connected(link, names);
    for (const stream of [names.eventStream, names.workStream]) {
      waiting('the streams are being looked for');
      const exists = () => streamExists(link, stream, waiting);
      while (!(await untilAvailable(logger, signal, exists))) await delay(retryDelayMs, undefined, { signal });
    }
  } catch (error) {
    await link.close();
    throw error;
  }
  const codec = workerCodec();
  const { ring, signingKey } = options;
  const store = new EventStore(link, names, codec, { signer: new OwnSigner(workerId, signingKey) });
  const noticed = (sequence: number, digest: string) => store.noticed(sequence, digest);
  const gate = new LogGate({ codec, ring, partial: true, noticed, ignores: (boundary) => !concerns(boundary) });
  store.judge = judgeBy(gate, (commit) => store.isInPlace(commit));
  return { link, names, codec, store, gate, ring };
}

/** The events that a worker acts on. It skips the rest of what its readers deliver. */
const concerning: ReadonlySet<string> = new Set([logBoundary.name, namespaceBoundary.name, membershipBoundary.name]);

const concerns = (boundary: string): boolean => concerning.has(boundary) || jobBoundary.idsIn(boundary) !== undefined;

/** @param missing called with the reason when the stream does not exist, or when NATS cannot tell */
async function streamExists(link: NatsLink, stream: string, missing: (why: string) => void): Promise<boolean> {
  try {
    await link.jsm.streams.info(stream);
    return true;
  } catch (error) {
    if (apiCodeOf(error) === ApiCode.streamNotFound) {
      missing('the streams are not there yet: a coordinator makes them');
      return false;
    }
    const why = link.trouble ?? 'NATS was reached, and does not answer about the streams';
    missing(why);
    throw new DomainError('Unavailable', 'nats-unreachable', why, { cause: error });
  }
}

/** Asks again while NATS is away. @throws the signal's reason, or anything but Unavailable */
export function untilAvailable<T>(logger: Logger, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  let reported = '';
  const mayPass = (error: unknown): boolean => {
    if (!(error instanceof DomainError) || error.kind !== 'Unavailable') return false;
    if (error.message !== reported) logger.warn({ code: error.code }, error.message);
    reported = error.message;
    return true;
  };
  return retryWhile(ask, { mayPass, pauseMs: retryDelayMs, signal });
}
