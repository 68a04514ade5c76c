import { randomUUID } from 'node:crypto';
import { allEvents } from '#contexts/catalogue';
import { judgeBy, LogGate } from '#contexts/trust/gate';
import { ApiCode, apiCodeOf, connectNats, EventCodec, EventStore, Names, type NatsLink } from '#jetstream';
import { DomainError } from '#kernel';
import type { ClusterSettings } from './settings.js';

export interface OpenLog {
  readonly link: NatsLink;
  readonly names: Names;
  readonly store: EventStore;
}

const connectTimeoutMs = 10_000;

/** Connects, runs `work` on the log, and disconnects. @throws DomainError Unavailable when NATS is away */
export async function withLog<T>(settings: ClusterSettings, work: (log: OpenLog) => Promise<T>): Promise<T> {
  const names = new Names(settings.cluster);
  const link = await connectNats({ url: settings.natsUrl, name: 'larder-cli', connectTimeoutMs });
  const codec = new EventCodec([allEvents]);
  const { ring } = settings;
  // Without a key, nothing can be signed. Then a log with signatures accepts no append.
  const signer = ring?.canSign ? ring.signer(`larder-cli-${randomUUID()}`) : undefined;
  const store = new EventStore(link, names, codec, { signer });
  if (ring) store.judge = judgeBy(new LogGate({ codec, ring }), (commit) => store.isInPlace(commit));
  try {
    return await work({ link, names, store });
  } catch (error) {
    if (apiCodeOf(error) !== ApiCode.streamNotFound) throw error;
    throw new DomainError('NotFound', 'no-log', `this NATS holds no log of a cluster "${settings.cluster}"`);
  } finally {
    await link.close();
  }
}
