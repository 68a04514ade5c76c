import { randomUUID } from 'node:crypto';
import {
  connectNats,
  type ConnectOptions,
  ensureStreams,
  EventCodec,
  EventStore,
  LogReader,
  type LogReaderOptions,
  type Log,
  Names,
  type NatsLink,
} from '#jetstream';
import { type EventCatalogue, type RecordedEvent } from '#kernel';

/** An event type for tests of the log itself. */
export const noted: EventCatalogue = {
  Noted: {
    v: 1,
    description: 'Something for a test to find again.',
    schema: {
      parse: (data) => {
        if (typeof (data as { text?: unknown } | null)?.text !== 'string') throw new Error('text must be a string');
        return data;
      },
    },
  },
};

export function note(text: string, id: string = randomUUID()): RecordedEvent {
  return { id, type: 'Noted', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r-1', data: { text } };
}

export interface TestLogLine {
  readonly level: string;
  readonly message: string;
}

/** A connection with everything that a test needs to use the log. The streams exist. */
export interface TestLog {
  readonly link: NatsLink;
  readonly names: Names;
  readonly codec: EventCodec;
  readonly store: EventStore;
  readonly lines: TestLogLine[];
  reader(options: Omit<LogReaderOptions, 'onFatal'> & Partial<Pick<LogReaderOptions, 'onFatal'>>): LogReader;
  close(): Promise<void>;
}

export async function openTestLog(
  url: string,
  options: Partial<ConnectOptions> & { catalogue?: EventCatalogue; replicas?: number; cluster?: string } = {},
): Promise<TestLog> {
  const lines: TestLogLine[] = [];
  const log: Log = (level, message) => lines.push({ level, message });
  const link = await connectNats({ url, name: 'test', log, ...options });
  const names = new Names(options.cluster);
  await ensureStreams(link, names, { replicas: options.replicas });
  const codec = new EventCodec([options.catalogue ?? noted]);
  const store = new EventStore(link, names, codec);
  const readers: LogReader[] = [];
  return {
    link,
    names,
    codec,
    store,
    lines,
    reader: (readerOptions) => {
      const onFatal = (error: unknown) => lines.push({ level: 'fatal', message: String(error) });
      const reader = new LogReader(link, names, codec, store, { onFatal, ...readerOptions });
      readers.push(reader);
      reader.start();
      return reader;
    },
    close: async () => {
      for (const reader of readers) reader.stop();
      await link.close();
    },
  };
}
