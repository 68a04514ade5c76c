import { BackupFile, type BackupMessage, type BackupTrailer } from '#contexts/log/backup';
import { withLog } from './open-log.js';
import { type ClusterOptions, clusterSettings } from './settings.js';

export interface ReadRange {
  /** Boundary filter; a file is read whole, and the caller filters. */
  readonly filter?: string;
  readonly from?: number;
  readonly through?: number;
}

/** A log to be read, in NATS or in a backup. */
export interface LogSource {
  /** For people. */
  readonly name: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** In order; past gaps and past what a backup's trailer contradicts. A backup returns its trailer at the end. */
  messages(range?: ReadRange): AsyncGenerator<BackupMessage, BackupTrailer | void>;
}

export interface SourceOptions extends ClusterOptions {
  /** A backup; none: the log in NATS. */
  readonly in?: string;
}

/** Opens a log, runs a piece of work on it, closes it. @throws what opening throws, and the work */
export async function withSource<T>(options: SourceOptions, work: (source: LogSource) => Promise<T>): Promise<T> {
  if (options.in !== undefined) return work(await fileSource(options.in));
  const settings = clusterSettings(options);
  return withLog(settings, async ({ store }) => {
    const { firstSequence, lastSequence } = await store.info();
    return work({
      name: `the log of cluster ${settings.cluster}`,
      firstSequence: Math.max(1, firstSequence),
      lastSequence,
      messages: ({ filter = '>', from, through = lastSequence } = {}) =>
        store.readMessages(filter, { from, through, acceptGaps: true }),
    });
  });
}

async function fileSource(file: string): Promise<LogSource> {
  const backup = await BackupFile.open(file);
  const { firstSequence, lastSequence } = backup.header;
  return { name: file, firstSequence, lastSequence, messages: (range) => messagesOf(backup, range) };
}

async function* messagesOf(
  backup: BackupFile,
  { from = 0, through = Infinity }: ReadRange = {},
): AsyncGenerator<BackupMessage, BackupTrailer> {
  const messages = backup.messages({ acceptFaults: true });
  for (;;) {
    const { done, value } = await messages.next();
    if (done) return value;
    if (value.sequence >= from && value.sequence <= through) yield value;
  }
}
