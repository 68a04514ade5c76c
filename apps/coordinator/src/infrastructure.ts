import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { jobsView } from '#contexts/jobs';
import { log, logBoundary, logView } from '#contexts/log';
import type { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipView } from '#contexts/membership';
import { KeyRing, namespaceView } from '#contexts/namespace';
import {
  Broadcasts,
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
} from '#jetstream';
import type { View } from '#kernel';
import {
  CommandHandler,
  commitLines,
  Heartbeats,
  ownContext,
  PastCache,
  PastStates,
  Recorder,
  TimeTravel,
  Views,
} from '#runtime';
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
  /** Has found the log to be the one that was seen. */
  guard: LogGuard;
  /** How far this coordinator has seen the log, where it is to keep that. */
  mark: MarkFile | undefined;
  /** Tells who writes snapshots; until someone says so, nobody. */
  snapshotWriter: { isSelf: () => boolean };
}

export interface OpenOptions {
  config: ProcessConfig;
  logger: Logger;
  /** Told what is being waited for, at each stage: a sentence, or how to make one up at the time of asking. */
  waitFor: (what: string | (() => string)) => void;
  onFatal: (error: unknown) => void;
}

/**
 * Connects, makes sure of the streams and of the log being the one that was seen, and folds it into the views.
 *
 * @throws DomainError Refused `log-lost`, `nats-refused` and others that starting again would not mend; Unavailable
 */
export async function openInfrastructure({ config, logger, waitFor, onFatal }: OpenOptions): Promise<Infrastructure> {
  const logLine: Log = (level, message, fields) => logger[level](fields ?? {}, message);
  const selfId = `coordinator-${randomUUID()}`;
  const link = await connectNats({ url: config.natsUrl, name: selfId, log: logLine, onWaiting: waitFor });
  const stages = new Stages(link, logLine, waitFor);
  const names = new Names(config.cluster);
  const broadcasts = new Broadcasts(link);
  const asking = askWorkers(broadcasts, names);
  stages.enter('the streams are being looked for, or made');
  await ensureStreams(link, names, { replicas: config.natsReplicas });
  const codec = new EventCodec([allEvents]);
  const waiting: { staleMs: () => number | undefined } = { staleMs: () => undefined };
  const store = new EventStore(link, names, codec, () => patienceMs(waiting.staleMs()));
  const recorder = new Recorder(allEvents);
  const { guard, mark } = await openGuard({ config, selfId, store, recorder, log: logLine, onLost: onFatal });
  stages.enter('the log is being compared with what was seen of it');
  await stages.untilAvailable(() => guard.check(asking, ownWitness(config, mark)));
  stages.enter('the log is being given its identity');
  await stages.untilAvailable(() => identifyLog(store, recorder, selfId));
  const snapshotWriter = { isSelf: () => false };
  const snapshots = new SnapshotStore(link, names, config.logGraceMs);
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
    onFatal,
  };
  stages.enter('a snapshot of the views is being looked for');
  const views = await stages.untilAvailable(() => Views.open(viewsOptions));
  stages.enter(() => `the log is being read: at sequence ${views.appliedSequence}`);
  waiting.staleMs = () => views.staleMs();
  guard.seen = () => ({ state: views.get(logView).state, lastSequence: views.appliedSequence });
  if (mark) keepMark(mark, views);
  const record = recorder.record.bind(recorder);
  const commands = new CommandHandler(store, views, record, commitLines(logger));
  return {
    config,
    link,
    store,
    views,
    commands,
    work: new WorkQueue(link, names),
    heartbeats: new Heartbeats(selfId, link, broadcasts, names),
    recorder,
    keyRing: new KeyRing(config.secretKeys),
    timeTravel: new TimeTravel(store, new PastStates({ store, snapshots, views: allViews, cache: new PastCache() })),
    guard,
    mark,
    snapshotWriter,
  };
}

/** Writes outlive the election of a leader; once NATS has been away for longer than that, clients are told soon. */
function patienceMs(staleMs = 0): number {
  return staleMs > 15_000 ? 1_500 : 11_000;
}

/** Gives a new log its identity; of several coordinators that start at once, one does. */
async function identifyLog(store: EventStore, recorder: Recorder, selfId: string): Promise<void> {
  if (await store.lastOf(logBoundary)) return;
  const command = { type: 'StartLog', logId: randomUUID() } as const;
  const events = recorder.record(log.decide(log.initial, command), ownContext(`coordinator:${selfId}`));
  try {
    await store.append(logBoundary, 0, events);
  } catch (error) {
    if (!(error instanceof StaleVersionError)) throw error;
  }
}
