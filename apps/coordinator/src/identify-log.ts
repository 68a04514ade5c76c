import { randomUUID } from 'node:crypto';
import { log, logBoundary } from '#contexts/log';
import { LogEnds } from '#contexts/log/marks';
import type { OwnSigner } from '#contexts/trust/gate';
import { StaleVersionError, type EventStore, type NatsLink } from '#jetstream';
import { DomainError } from '#kernel';
import { ownContext, type Recorder } from '#runtime';

export interface LogIdentity {
  store: EventStore;
  recorder: Recorder;
  selfId: string;
  signer: OwnSigner;
  workSequence: () => Promise<number>;
}

/**
 * Gives a new log its identity, and makes signatures mandatory in every log from here on. If several coordinators start
 * at once, one of them does this.
 * @throws DomainError Unavailable when another writer was faster: the caller looks again
 */
export async function identifyLog({ store, recorder, selfId, signer, workSequence }: LogIdentity): Promise<void> {
  const expected = await store.lastSequence(logBoundary.name);
  const { state } = await new LogEnds(store).look();
  if (state.logId !== undefined && state.signing) return;
  const begin = {
    type: 'BeginSigning',
    keyId: signer.keyId!,
    publicKey: signer.publicKey.toString('base64'),
    workSequence: await workSequence(),
  } as const;
  const decided = [...log.decide(state, { type: 'StartLog', logId: randomUUID() }), ...log.decide(state, begin)];
  try {
    await store.append(logBoundary.name, expected, recorder.record(decided, ownContext(`coordinator:${selfId}`)));
  } catch (error) {
    if (!(error instanceof StaleVersionError)) throw error;
    // Another coordinator was faster, or another writer appended something: look again.
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
