import { randomUUID } from 'node:crypto';
import { log, logBoundary, type LogEvent } from '#contexts/log';
import type { OwnSigner } from '#contexts/trust/gate';
import { StaleVersionError, type EventStore, type NatsLink } from '#jetstream';
import { DomainError, fold } from '#kernel';
import { ownContext, type Recorder } from '#runtime';

export interface LogIdentity {
  store: EventStore;
  recorder: Recorder;
  selfId: string;
  signer: OwnSigner;
  workSequence: () => Promise<number>;
}

/**
 * Gives a new log its identity, and has every log owe signatures from here on; of several coordinators that start at
 * once, one does.
 * @throws DomainError Unavailable when another writer was quicker, too: look again
 */
export async function identifyLog({ store, recorder, selfId, signer, workSequence }: LogIdentity): Promise<void> {
  const last = await store.lastOf(logBoundary);
  const known: LogEvent[] = [];
  if (last)
    for await (const { events } of store.readBoundary(logBoundary)) known.push(...(events as unknown as LogEvent[]));
  const state = fold(log, known);
  const begin = {
    type: 'BeginSigning',
    keyId: signer.keyId!,
    publicKey: signer.publicKey.toString('base64'),
    workSequence: await workSequence(),
  } as const;
  const decided = [...log.decide(state, { type: 'StartLog', logId: randomUUID() }), ...log.decide(state, begin)];
  if (decided.length === 0) return;
  try {
    await store.append(logBoundary, last?.sequence ?? 0, recorder.record(decided, ownContext(`coordinator:${selfId}`)));
  } catch (error) {
    if (!(error instanceof StaleVersionError)) throw error;
    // Somebody else was quicker, or something was put there: look again.
    throw new DomainError('Unavailable', 'log-identity-contested', 'the log is being given its identity');
  }
}

export async function lastSequenceOf(link: NatsLink, stream: string): Promise<number> {
  try {
    return (await link.jsm.streams.info(stream)).state.last_seq;
  } catch (cause) {
    throw new DomainError('Unavailable', 'nats-unreachable', 'the work stream cannot be asked', { cause });
  }
}
