import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { emptyRoot, type EventStore, messageDigest, rollDigest } from '#jetstream';
import { DomainError, fold } from '#kernel';
import { log, logBoundary, type LogEvent } from '../index.js';
import {
  type BackupHeader,
  backupFormat,
  type BackupMessage,
  type BackupTrailer,
  messageLine,
} from './backup-format.js';
import { BackupFile } from './read-backup.js';

export interface BackupOptions {
  readonly store: EventStore;
  readonly cluster: string;
  readonly natsVersion: string;
  /** The file to write. It must not exist yet. */
  readonly file: string;
  /** ISO 8601. */
  readonly now: string;
}

export interface WrittenBackup extends BackupTrailer {
  readonly header: BackupHeader;
}

/** Lines are compressed in chunks of about this size. */
const chunkBytes = 64 * 1024;

/**
 * Copies the log to a file, up to the last message at the time of the call. The file gets its name only when it is
 * complete, on the disk, and has been read back.
 *
 * @throws DomainError `file-exists`, `backup-damaged` when the file read back is not as written; errors of the store,
 *   such as LogDamagedError for a log with gaps
 */
export async function writeBackup(options: BackupOptions): Promise<WrittenBackup> {
  const file = path.resolve(options.file);
  if (existsSync(file)) throw new DomainError('Refused', 'file-exists', `--out: ${file} is already there`);
  const header = await headerOf(options);
  const temporary = `${file}.${randomUUID()}.partial`;
  try {
    const trailer = await writeLines(temporary, header, options.store);
    const readBack = await BackupFile.check(temporary);
    if (readBack.root !== trailer.root || readBack.count !== trailer.count) {
      throw new DomainError('Bug', 'backup-differs', 'the bytes read back differ from those written');
    }
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
    return { header, ...trailer };
  } finally {
    await rm(temporary, { force: true });
  }
}

async function headerOf({ store, cluster, natsVersion, now }: BackupOptions): Promise<BackupHeader> {
  const { firstSequence: first, lastSequence } = await store.info();
  // An empty stream reports 0.
  const firstSequence = Math.max(1, first);
  const events: LogEvent[] = [];
  for await (const commit of store.readBoundary(logBoundary.name)) {
    if (commit.sequence <= lastSequence) events.push(...logBoundary.eventsIn(commit));
  }
  const { logId } = fold(log, events);
  return {
    format: backupFormat,
    cluster,
    firstSequence,
    lastSequence,
    createdAt: now,
    natsVersion,
    ...(logId === undefined ? {} : { logId, mark: { logId, sequence: lastSequence } }),
  };
}

async function writeLines(file: string, header: BackupHeader, store: EventStore): Promise<BackupTrailer> {
  let trailer: BackupTrailer | undefined;
  const lines = linesOf(header, store, (written) => (trailer = written));
  // `flush`: the file is flushed to the disk when it is closed.
  await pipeline(
    Readable.from(lines),
    createGzip(),
    createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }),
  );
  return trailer!;
}

async function* linesOf(
  header: BackupHeader,
  store: EventStore,
  done: (trailer: BackupTrailer) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const { firstSequence, lastSequence } = header;
  let [count, root] = [0, emptyRoot];
  let chunk = `${JSON.stringify(header)}\n`;
  for await (const message of messagesOf(store, firstSequence, lastSequence)) {
    root = rollDigest(root, messageDigest(message.boundary, message.data));
    count++;
    chunk += `${messageLine(message)}\n`;
    if (chunk.length < chunkBytes) continue;
    yield hashed(chunk);
    chunk = '';
  }
  if (count !== lastSequence - firstSequence + 1) {
    throw new DomainError('Bug', 'log-gap', `the log held ${count} messages from ${firstSequence} to ${lastSequence}`);
  }
  yield hashed(chunk);
  const trailer = { count, root, sha256: hash.digest('hex') };
  done(trailer);
  yield Buffer.from(`${JSON.stringify(trailer)}\n`);

  function hashed(text: string): Buffer {
    const bytes = Buffer.from(text);
    hash.update(bytes);
    return bytes;
  }
}

async function* messagesOf(store: EventStore, from: number, through: number): AsyncGenerator<BackupMessage> {
  if (through >= from) yield* store.readMessages('>', { from, through });
}

/** A rename is on the disk only when the directory is flushed. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
