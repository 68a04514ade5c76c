import { randomUUID } from 'node:crypto';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { jobsView } from '#contexts/jobs';
import { log, logBoundary, logView } from '#contexts/log';
import { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipBoundary, membershipView } from '#contexts/membership';
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
import { type View } from '#kernel';
import { CommandHandler, Heartbeats, ownContext, Recorder, Views } from '#runtime';
import { askWorkers, keepMark } from './log-marks.js';

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
  /** Has found the log to be the one that was seen. */
  guard: LogGuard;
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
  const broadcasts = new Broadcasts(link);
  // Asked while the streams are made sure of.
  let asked: ReturnType<typeof askWorkers> | undefined = askWorkers(broadcasts, names);
  await ensureStreams(link, names, { replicas: config.natsReplicas });
  const codec = new EventCodec([allEvents]);
  const store = new EventStore(link, names, codec);
  const recorder = new Recorder(allEvents);
  const guard = new LogGuard({
    store,
    record: (events) => recorder.record(events, ownContext(`coordinator:${selfId}`)),
    hasWorkers: async () => (await store.lastSequence(membershipBoundary)) > 0,
    accept: config.acceptLog,
    log: logLine,
    onLost: onFatal,
  });
  const mark = config.logMark ? await MarkFile.open(config.logMark, (line) => logLine('warn', line)) : undefined;
  const own = mark?.mark && { who: `this coordinator (${config.logMark})`, mark: mark.mark };
  await guard.check(() => {
    const answers = asked ?? askWorkers(broadcasts, names);
    asked = undefined;
    return answers;
  }, own);
  await identifyLog(store, recorder, selfId);
  const snapshotWriter = { isSelf: () => false };
  const views = await Views.open({
    link,
    names,
    codec,
    store,
    snapshots: new SnapshotStore(link, names),
    views: [logView, namespaceView, membershipView, jobsView(config.finishedJobs)] as unknown as View<never>[],
    snapshotEvery: config.snapshotEvery,
    mayWriteSnapshot: () => snapshotWriter.isSelf(),
    log: (line) => logLine('info', line),
    onFatal,
  });
  guard.seen = () => ({ state: views.get(logView).state, lastSequence: views.appliedSequence });
  if (mark) keepMark(mark, views);
  const commands = new CommandHandler(store, views, (events, context) => recorder.record(events, context));
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
    guard,
    mark,
    snapshotWriter,
  };
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
