import { retryWhile } from '#async';
import { headers, type PubAck } from 'nats';
import {
  ensureStreams,
  type EventStore,
  type Gate,
  messageDigest,
  messageOf,
  type Names,
  type NatsLink,
  parseEnvelope,
  recordedAtHeader,
} from '#jetstream';
import { DomainError, fold, type RecordedEvent } from '#kernel';
import { log, logBoundary, type LogEvent } from '../index.js';
import { LogVerifier } from '../audit/index.js';
import type { BackupMessage, BackupTrailer } from './backup-format.js';
import { BackupFile } from './read-backup.js';

export interface RestoreOptions {
  readonly link: NatsLink;
  readonly names: Names;
  readonly store: EventStore;
  readonly file: string;
  /** How many copies of the log NATS keeps. */
  readonly replicas: number;
  /** Identity of the restored log. */
  readonly logId: string;
  /** Also restores a log with faults, such as a broken chain. The faults stay in it. */
  readonly acceptFaults?: boolean;
  /** Whether the store signs what it appends. A log with signatures does not accept its new identity otherwise. */
  readonly signs?: boolean;
  /** Finds the void messages of the backup. They are restored as they are and are no fault. */
  readonly gate?: () => Gate;
  readonly record: (events: readonly LogEvent[]) => RecordedEvent[];
  /** Called from time to time with the progress. */
  readonly progress?: (sequence: number, of: number) => void;
}

export interface Restored extends BackupTrailer {
  /** Messages that an earlier attempt had restored already. */
  readonly alreadyThere: number;
  /** The whole backup had been restored before; nothing was done. */
  readonly complete: boolean;
}

/** How many publishes run at the same time. More only wait longer (measured). */
const windowSize = 256;
/** How many attempts in a row may fail to store a single message. */
const maxFruitless = 80;
const retryMs = 250;
/** How many attempts at the whole restore, and how long to wait for NATS before each. */
const maxAttempts = 5;
const reconnectMs = 30_000;

/**
 * Copies a backup into an empty log: the same bytes on the same boundaries at the same sequences. A message is
 * published only if the one before it is the last in the log. An interrupted restore continues where it ended.
 * Afterwards everything is read back, and the log gets an identity of its own that names its parent.
 *
 * @throws DomainError `backup-damaged`, `backup-tampered`, `signing-key-missing`, `log-not-empty`,
 *   `log-written-meanwhile`, `restore-differs`; errors of `ensureStreams` and of the store
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await restoreOnce(options);
    } catch (error) {
      // A new attempt continues where this one ended, so try again when NATS is back.
      const isAway = error instanceof DomainError && error.kind === 'Unavailable' && error.code !== 'restore-stuck';
      if (!isAway || attempt === maxAttempts) throw error;
      options.link.log('warn', `NATS went away: ${error.message}`);
      await options.link.whenConnected(performance.now() + reconnectMs);
    }
  }
}

async function restoreOnce(options: RestoreOptions): Promise<Restored> {
  const { link, names, store, file, replicas } = options;
  const backup = await BackupFile.open(file);
  const trailer = await verified(backup, options);
  const { firstSequence, lastSequence } = backup.header;
  if (trailer.count === 0) throw new DomainError('Refused', 'backup-empty', 'the backup holds no message');
  await ensureStreams(link, names, { replicas, firstSequence });
  const present = await presentPart(store, backup, trailer);
  if (present.complete) return { ...trailer, alreadyThere: trailer.count, complete: true };
  let last = present.last;
  for (let fruitless = 0; last < lastSequence;) {
    const before = last;
    await publishAfter(options, backup, before);
    last = await settledEnd(store);
    if (last > lastSequence) throw writtenMeanwhile();
    fruitless = last > before ? 0 : fruitless + 1;
    if (fruitless > maxFruitless)
      throw new DomainError('Unavailable', 'restore-stuck', `NATS takes nothing behind ${last}`);
  }
  await compareWhole(store, backup, trailer);
  await nameParent(options, backup, trailer);
  return { ...trailer, alreadyThere: present.last - firstSequence + 1, complete: false };
}

async function verified(
  backup: BackupFile,
  { acceptFaults = false, signs = false, gate }: RestoreOptions,
): Promise<BackupTrailer> {
  const { firstSequence } = backup.header;
  const verifier = new LogVerifier({ firstSequence, gate: firstSequence === 1 ? gate?.() : undefined });
  const messages = backup.messages();
  let owesSignatures = false;
  for (;;) {
    const { done, value } = await messages.next();
    if (done) {
      const { fault } = verifier.finish();
      if ((!fault || acceptFaults) && owesSignatures && !signs) throw keysMissing();
      if (!fault || acceptFaults) return value;
      const text = `the log in this backup was tampered with (${fault.kind} at ${fault.sequence}): see larder audit verify --in, and --accept-faults to restore it as it is`;
      throw new DomainError('Refused', 'backup-tampered', text);
    }
    owesSignatures ||= beginsSigning(value);
    verifier.add(value);
  }
}

function keysMissing(): DomainError {
  const text =
    'the log in this backup is signed, and the restored one has to be: set LARDER_SIGNING_KEYS (or, where the cluster ' +
    'has none, LARDER_SECRET_KEYS) to the keys of its coordinators';
  return new DomainError('Refused', 'signing-key-missing', text);
}

function beginsSigning({ boundary, data, sequence }: BackupMessage): boolean {
  if (boundary !== logBoundary.name) return false;
  try {
    return parseEnvelope(data, sequence).events.some(({ type }) => type === 'SigningBegan');
  } catch {
    // The verifier reports what is wrong with this message.
    return false;
  }
}

/** How much of the backup the log holds already. @throws DomainError `log-not-empty` when it holds anything else */
async function presentPart(
  store: EventStore,
  backup: BackupFile,
  trailer: BackupTrailer,
): Promise<{ last: number; complete: boolean }> {
  const { firstSequence, lastSequence } = backup.header;
  const info = await store.info();
  if (info.lastSequence === 0 || info.lastSequence < info.firstSequence) {
    if (info.lastSequence === firstSequence - 1) return { last: info.lastSequence, complete: false };
    throw notEmpty(`its stream is empty, but goes on at ${info.lastSequence + 1} and not at ${firstSequence}`);
  }
  if (info.firstSequence !== firstSequence) throw notEmpty(`it begins at ${info.firstSequence}`);
  const messages = backup.messages();
  try {
    for await (const there of store.readMessages('>')) {
      if (there.sequence > lastSequence) {
        if (isRestoreOf(there, trailer, lastSequence)) return { last: lastSequence, complete: true };
        throw notEmpty('it holds this backup and more');
      }
      const { value } = await messages.next();
      if (!same(there, value as BackupMessage)) throw notEmpty(`it holds something else at ${there.sequence}`);
    }
  } finally {
    await messages.return?.(trailer);
  }
  return { last: info.lastSequence, complete: false };
}

function isRestoreOf({ boundary, data, sequence }: BackupMessage, { root }: BackupTrailer, through: number): boolean {
  if (boundary !== logBoundary.name) return false;
  const [event] = logBoundary.eventsIn({ boundary, events: parseEnvelope(data, sequence).events });
  return event.type === 'LogRestored' && event.data.root === root && event.data.throughSequence === through;
}

/** Publishes the messages after a sequence, until the end or the first failure. Resolves when no answer is pending. */
async function publishAfter(
  { link, names, progress }: RestoreOptions,
  backup: BackupFile,
  after: number,
): Promise<void> {
  const under = new Set<Promise<void>>();
  let failure: unknown;
  for await (const message of backup.messages()) {
    const { sequence, boundary, data, recordedAtMs } = message;
    if (sequence <= after) continue;
    if (under.size >= windowSize) await Promise.race(under);
    if (failure !== undefined) break;
    const header = headers();
    header.set(recordedAtHeader, new Date(recordedAtMs).toISOString());
    const expect = { streamName: names.eventStream, lastSequence: sequence - 1 };
    const one = link
      .abortable(() => link.js.publish(names.eventSubject(boundary), data, { headers: header, expect }))
      .then((ack: PubAck) => {
        if (ack.seq !== sequence) failure ??= writtenMeanwhile();
      })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => under.delete(one));
    under.add(one);
    if (sequence % 10_000 === 0) progress?.(sequence, backup.header.lastSequence);
  }
  await Promise.all(under);
  if (failure === undefined) return;
  if (failure instanceof DomainError && failure.code === 'log-written-meanwhile') throw failure;
  // For any other failure, the message may be stored and only its answer lost. The end of the log shows that.
  link.log('warn', `publishing stopped: ${messageOf(failure)}`);
  await new Promise((again) => setTimeout(again, retryMs));
}

/** The last sequence of the log. Retries while NATS does not answer. */
async function settledEnd(store: EventStore): Promise<number> {
  let failures = 0;
  const mayPass = () => failures++ < maxFruitless;
  return (await retryWhile(() => store.info(), { mayPass, pauseMs: retryMs })).lastSequence;
}

async function compareWhole(store: EventStore, backup: BackupFile, { count }: BackupTrailer): Promise<void> {
  const messages = backup.messages();
  let compared = 0;
  for await (const there of store.readMessages('>')) {
    const { done, value } = await messages.next();
    if (done) throw writtenMeanwhile();
    if (!same(there, value)) {
      throw new DomainError('Bug', 'restore-differs', `the log differs from the backup at ${there.sequence}`);
    }
    compared++;
  }
  if (compared !== count) {
    throw new DomainError('Bug', 'restore-differs', `the log holds ${compared} messages and the backup ${count}`);
  }
  await messages.next();
}

/** Gives the restored log its own identity: from here on, it differs from the log that the backup was taken from. */
async function nameParent({ store, logId, record }: RestoreOptions, backup: BackupFile, trailer: BackupTrailer) {
  const events: LogEvent[] = [];
  let sequence = 0;
  for await (const commit of store.readBoundary(logBoundary.name)) {
    events.push(...logBoundary.eventsIn(commit));
    sequence = commit.sequence;
  }
  const state = fold(log, events);
  const { lastSequence: throughSequence } = backup.header;
  // An old log without an identity gets its first one here.
  const decided =
    state.logId === undefined
      ? log.decide(state, { type: 'StartLog', logId })
      : log.decide(state, { type: 'RecordRestore', logId, throughSequence, root: trailer.root });
  const appended = await store.append(logBoundary.name, sequence, record(decided));
  if (appended.sequence !== throughSequence + 1) throw writtenMeanwhile();
}

function same(a: BackupMessage, b: BackupMessage): boolean {
  return a.sequence === b.sequence && messageDigest(a.boundary, a.data) === messageDigest(b.boundary, b.data);
}

function notEmpty(what: string): DomainError {
  const text = `the log is not empty (${what}): stop the coordinators and restore into an empty NATS, or under another --cluster`;
  return new DomainError('Refused', 'log-not-empty', text);
}

function writtenMeanwhile(): DomainError {
  const text =
    'something else wrote to the log meanwhile: stop the coordinators and restore into an empty NATS, or under another --cluster';
  return new DomainError('Refused', 'log-written-meanwhile', text);
}
