import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { jobsView } from '#contexts/jobs';
import { log, logBoundary, logView } from '#contexts/log';
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
import { DomainError, type View } from '#kernel';
import { CommandHandler, Heartbeats, ownContext, Recorder, Views } from '#runtime';

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
  /** Tells who writes snapshots; until someone says so, nobody. */
  snapshotWriter: { isSelf: () => boolean };
}

/** Connects, makes sure of the streams, and folds the log into the views. */
export async function openInfrastructure(
  config: ProcessConfig,
  logLine: Log,
  onFatal: (error: unknown) => void,
): Promise<Infrastructure> {
  const selfId = `coordinator-${randomUUID()}`;
  const link = await connectNats({ url: config.natsUrl, name: selfId, log: logLine });
  const names = new Names(config.cluster);
  await ensureStreams(link, names, { replicas: config.natsReplicas });
  const codec = new EventCodec([allEvents]);
  const store = new EventStore(link, names, codec);
  const recorder = new Recorder(allEvents);
  await patiently(() => identifyLog(store, recorder, selfId));
  const snapshotWriter = { isSelf: () => false };
  const viewsOptions = {
    link,
    names,
    codec,
    store,
    snapshots: new SnapshotStore(link, names),
    views: [logView, namespaceView, membershipView, jobsView(config.finishedJobs)] as unknown as View<never>[],
    snapshotEvery: config.snapshotEvery,
    mayWriteSnapshot: () => snapshotWriter.isSelf(),
    log: (line: string) => logLine('info', line),
    onFatal,
  };
  const views = await patiently(() => Views.open(viewsOptions));
  const commands = new CommandHandler(store, views, (events, context) => recorder.record(events, context));
  return {
    config,
    link,
    store,
    views,
    commands,
    work: new WorkQueue(link, names),
    heartbeats: new Heartbeats(selfId, link, new Broadcasts(link), names),
    recorder,
    keyRing: new KeyRing(config.secretKeys),
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

/** Longer than any election: a stream that was just made, or has lost its leader, answers nobody at first. */
const patienceMs = 30_000;
const pauseMs = 200;

/** Tries again while NATS does not answer. @throws what the last attempt throws */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== 'Unavailable' || performance.now() > deadline) throw error;
      await delay(pauseMs);
    }
  }
}
