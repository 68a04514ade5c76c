import { BackupFile, type BackupMessage, type BackupTrailer } from '#contexts/log/backup';
import { withLog } from './open-log.js';
import { type ClusterOptions, clusterSettings } from './settings.js';

export interface ReadRange {
  /** Boundary filter. A file ignores it: the caller filters the messages. */
  readonly filter?: string;
  readonly from?: number;
  readonly through?: number;
}

/** A log to read, in NATS or in a backup. */
export interface LogSource {
  /** A name for messages. */
  readonly name: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** The messages in order, also if there are gaps or a backup's trailer differs. A backup returns its trailer. */
  messages(range?: ReadRange): AsyncGenerator<BackupMessage, BackupTrailer | void>;
}

export interface SourceOptions extends ClusterOptions {
  /** A backup file; undefined: the log in NATS. */
  readonly in?: string;
}

/** Opens a log, runs `work` on it, and closes it. @throws the errors of opening and of `work` */
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
