import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { jobsView } from '#contexts/jobs';
import { logView } from '#contexts/log';
import type { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipView } from '#contexts/membership';
import { KeyRing, namespaceView } from '#contexts/namespace';
import { LogTrust, signedWork, TrustRing } from '#contexts/trust/gate';
import {
  Broadcasts,
  BroadcastSeal,
  connectNats,
  ensureStreams,
  EventCodec,
  EventStore,
  Names,
  SnapshotStore,
  WorkQueue,
  type Log,
  type NatsLink,
  type VoidMessage,
} from '#jetstream';
import type { View } from '#kernel';
import { CommandHandler, commitLines, Heartbeats, PastCache, PastStates, Recorder, TimeTravel, Views } from '#runtime';
import { identifyLog, lastSequenceOf } from './identify-log.js';
import { Stages } from './stages.js';
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
  /** Has checked that the log agrees with its witnesses. */
  guard: LogGuard;
  /** Decides which messages of the log are valid. */
  trust: LogTrust;
  /** How far this coordinator has seen the log; undefined when it keeps no mark. */
  mark: MarkFile | undefined;
  /** Whether this process writes snapshots. `isSelf` returns false until it is replaced. */
  snapshotWriter: { isSelf: () => boolean };
}

export interface OpenOptions {
  config: ProcessConfig;
  logger: Logger;
  /** Called at each stage with what it waits for: a sentence, or a function that makes one when it is needed. */
  waitFor: (what: string | (() => string)) => void;
  onFatal: (error: unknown) => void;
}

/**
 * Connects, ensures the streams, checks that the log agrees with its witnesses, and folds it into the views.
 *
 * @throws DomainError Refused `log-lost`, `nats-refused` and others that another start would not repair; Unavailable
 */
export async function openInfrastructure({ config, logger, waitFor, onFatal }: OpenOptions): Promise<Infrastructure> {
  const logLine: Log = (level, message, fields) => logger[level](fields ?? {}, message);
  const selfId = `coordinator-${randomUUID()}`;
  const link = await connectNats({ url: config.natsUrl, name: selfId, log: logLine, onWaiting: waitFor });
  const stages = new Stages(link, logLine, waitFor);
  const names = new Names(config.cluster);
  const broadcasts = new Broadcasts(link, new BroadcastSeal(config.secretKeys));
  const asking = askWorkers(broadcasts, names);
  stages.enter('the streams are being looked for, or made');
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
  stages.enter('the log is being compared with the log marks');
  await stages.untilAvailable(() => guard.check(asking, ownWitness(config, mark)));
  stages.enter('the log is being given its identity');
  const identity = { store, recorder, selfId, signer, workSequence: () => lastSequenceOf(link, names.workStream) };
  await stages.untilAvailable(() => identifyLog(identity));
  await stages.untilAvailable(() => trust.prepare());
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
    onVoid: (message: VoidMessage) => logLine('error', 'a message of the log is void and is skipped', { ...message }),
    onFatal,
  };
  stages.enter('a snapshot of the views is being looked for');
  const views = await stages.untilAvailable(() => Views.open(viewsOptions));
  stages.enter(() => `the log is being read: at sequence ${views.appliedSequence}`);
  waiting.staleMs = () => views.staleMs();
  trust.follow(views);
  guard.seen = () => ({ state: views.get(logView).state, lastSequence: views.appliedSequence });
  if (mark) keepMark(mark, views);
  const seal = signedWork({ ring, signer, unsignedThrough: () => trust.gate.unsignedWorkThrough });
  const record = recorder.record.bind(recorder);
  const commands = new CommandHandler(store, views, record, commitLines(logger));
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

/** Long enough for the election of a leader. If NATS has been away for longer, clients soon get an error instead. */
function patienceMs(staleMs = 0): number {
  return staleMs > 15_000 ? 1_500 : 11_000;
}
