import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { jobsView } from '#contexts/jobs';
import { log, logBoundary, logView, type LogEvent } from '#contexts/log';
import type { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipView } from '#contexts/membership';
import { KeyRing, namespaceView } from '#contexts/namespace';
import { LogTrust, signedWork, TrustRing, type OwnSigner } from '#contexts/trust/gate';
import {
  Broadcasts,
  BroadcastSeal,
  connectNats,
  ensureStreams,
  EventCodec,
  EventStore,
  Names,
  SnapshotStore,
  StaleVersionError,
  WorkQueue,
  type Log,
  type NatsLink,
  type VoidMessage,
} from '#jetstream';
import { DomainError, fold, type View } from '#kernel';
import { CommandHandler, Heartbeats, ownContext, PastCache, PastStates, Recorder, TimeTravel, Views } from '#runtime';
import { askWorkers, keepMark, openGuard, ownWitness } from './log-marks.js';

export interface Infrastructure {
  config: ProcessConfig;
  link: NatsLink;
  store: EventStore;
  views: Views;
  commands: CommandHandler;
  work: WorkQueue;
  heartbeats: Heartbeats;
  recorder: Recorder;
  keyRing: KeyRing;
  timeTravel: TimeTravel;
  /** Has found the log to be the one that was seen. */
  guard: LogGuard;
  /** Which messages of the log hold. */
  trust: LogTrust;
  /** How far this coordinator has seen the log, where it is to keep that. */
  mark: MarkFile | undefined;
  /** Tells who writes snapshots; until someone says so, nobody. */
  snapshotWriter: { isSelf: () => boolean };
}

/**
 * Connects, makes sure of the streams and of the log being the one that was seen, and folds it into the views.
 *
 * @throws DomainError Refused `log-lost` and others that starting again would not mend; Unavailable
 */
export async function openInfrastructure(
  config: ProcessConfig,
  logLine: Log,
  onFatal: (error: unknown) => void,
): Promise<Infrastructure> {
  const selfId = `coordinator-${randomUUID()}`;
  const link = await connectNats({ url: config.natsUrl, name: selfId, log: logLine });
  const names = new Names(config.cluster);
  const broadcasts = new Broadcasts(link, new BroadcastSeal(config.secretKeys));
  const asking = askWorkers(broadcasts, names);
  await ensureStreams(link, names, { replicas: config.natsReplicas });
  const codec = new EventCodec([allEvents]);
  const waiting: { staleMs: () => number | undefined } = { staleMs: () => undefined };
  const signingKeys = config.signingKeys ?? config.secretKeys;
  const ring = new TrustRing(signingKeys, config.verifyKeys);
  const signer = ring.signer(selfId);
  const store = new EventStore(link, names, codec, { patienceMs: () => patienceMs(waiting.staleMs()), signer });
  const trust = new LogTrust(store, { codec, ring, isOwn: (digest) => signer.isOwn(digest) });
  const recorder = new Recorder(allEvents);
  const { guard, mark } = await openGuard({ config, selfId, store, recorder, log: logLine, onLost: onFatal });
  await untilAvailable(() => guard.check(asking, ownWitness(config, mark)));
  const identity = { store, recorder, selfId, signer, workSequence: () => lastSequenceOf(link, names.workStream) };
  await untilAvailable(() => identifyLog(identity));
  await untilAvailable(() => trust.prepare());
  const snapshotWriter = { isSelf: () => false };
  const snapshots = new SnapshotStore(link, names, config.logGraceMs, signingKeys);
  const allViews = [logView, namespaceView, membershipView, jobsView(config.finishedJobs)] as unknown as View<never>[];
  const viewsOptions = {
    link,
    names,
    codec,
    store,
    snapshots,
    views: allViews,
    snapshotEvery: config.snapshotEvery,
    lostTailGraceMs: config.logGraceMs,
    mayWriteSnapshot: () => snapshotWriter.isSelf(),
    log: (line: string) => logLine('info', line),
    openGate: (stored: unknown, strict: boolean) => trust.openGate(stored, strict),
    onVoid: (message: VoidMessage) =>
      logLine('error', 'a message of the log does not hold and is passed over', { ...message }),
    onFatal,
  };
  const views = await untilAvailable(() => Views.open(viewsOptions));
  waiting.staleMs = () => views.staleMs();
  trust.follow(views);
  guard.seen = () => ({ state: views.get(logView).state, lastSequence: views.appliedSequence });
  if (mark) keepMark(mark, views);
  const seal = signedWork({ ring, signer, unsignedThrough: () => trust.gate.unsignedWorkThrough });
  const commands = new CommandHandler(store, views, (events, context) => recorder.record(events, context));
  return {
    config,
    link,
    store,
    views,
    commands,
    work: new WorkQueue(link, names, { seal }),
    heartbeats: new Heartbeats(selfId, link, broadcasts, names),
    recorder,
    keyRing: new KeyRing(config.secretKeys),
    timeTravel: new TimeTravel(store, new PastStates({ store, snapshots, views: allViews, cache: new PastCache() })),
    guard,
    trust,
    mark,
    snapshotWriter,
  };
}

/** Writes outlive the election of a leader; once NATS has been away for longer than that, clients are told soon. */
function patienceMs(staleMs = 0): number {
  return staleMs > 15_000 ? 1_500 : 11_000;
}

/** Replicated streams that have just been made, or whose servers have just come up, are without a leader for a while. */
const availableWithinMs = 60_000;

async function untilAvailable<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + availableWithinMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const mayPass = error instanceof DomainError && error.kind === 'Unavailable';
      if (!mayPass || performance.now() > deadlineMs) throw error;
      await delay(250);
    }
  }
}

interface LogIdentity {
  store: EventStore;
  recorder: Recorder;
  selfId: string;
  signer: OwnSigner;
  workSequence: () => Promise<number>;
}

/**
 * Gives a new log its identity, and has every log owe signatures from here on; of several coordinators that start at
 * once, one does.
 */
async function identifyLog({ store, recorder, selfId, signer, workSequence }: LogIdentity): Promise<void> {
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

async function lastSequenceOf(link: NatsLink, stream: string): Promise<number> {
  try {
    return (await link.jsm.streams.info(stream)).state.last_seq;
  } catch (cause) {
    throw new DomainError('Unavailable', 'nats-unreachable', 'the work stream cannot be asked', { cause });
  }
}
