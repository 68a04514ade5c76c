import { DomainError, type LogPosition } from '#kernel';
import { type NatsLink } from './connection.js';
import { OrderedConsumer } from './ordered-consumer.js';
import { type Names } from './streams.js';

/** A message of the log as it is stored. */
export interface StoredCommit extends LogPosition {
  readonly data: Uint8Array;
  /** When the log took it in, by the NATS server's clock; of a restored message, when the original log did. */
  readonly recordedAtMs: number;
}

export interface ReadOptions {
  /** First sequence. Default, and at least: the first that is still there. */
  readonly from?: number;
  /** Last sequence. Default, and at most: the end of the log when the call is made. */
  readonly through?: number;
  readonly stallTimeoutMs?: number;
  /** Reads past sequences that are missing, where that is an error otherwise: for whoever looks for what is wrong. */
  readonly acceptGaps?: boolean;
}

interface Reading {
  readonly link: NatsLink;
  readonly names: Names;
  readonly filter: string;
  readonly from: number;
  readonly end: number;
  readonly stallTimeoutMs: number;
  readonly acceptGaps: boolean;
}

/** Messages at hand before the server is not asked for more. */
const readyAtOnce = 256;

/** Messages of the log from a sequence to another that is there, in order, at the pace of whoever takes them. */
export async function* readStoredCommits(reading: Reading): AsyncGenerator<StoredCommit> {
  const { link, names, filter, from, end, stallTimeoutMs, acceptGaps } = reading;
  const ready: StoredCommit[] = [];
  let failure: unknown;
  let wake = () => {};
  const consumer = new OrderedConsumer(link, {
    stream: names.eventStream,
    startSequence: from,
    // Without a filter a gap in the log is an error, and would not be seen otherwise.
    ...(filter === '>' && !acceptGaps ? {} : { filterSubject: names.eventFilter(filter) }),
    onMessage: ({ data, subject, sequence, recordedAtMs }) => {
      ready.push({ sequence, boundary: names.boundaryOf(subject), data, recordedAtMs });
      if (ready.length >= readyAtOnce) consumer.pause();
      wake();
    },
    onFatal: (error) => {
      failure = error;
      wake();
    },
  });
  consumer.start();
  try {
    for (;;) {
      if (ready.length === 0 && failure === undefined) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const timer = setTimeout(() => {
          failure = new DomainError('Unavailable', 'nats-unreachable', 'NATS has stopped delivering the log');
          wake();
        }, stallTimeoutMs);
        await woken;
        clearTimeout(timer);
      }
      for (const message of ready.splice(0)) {
        if (message.sequence > end) return;
        yield message;
        if (message.sequence === end) return;
      }
      if (failure !== undefined) throw failure as Error;
      consumer.resume();
    }
  } finally {
    consumer.stop();
  }
}
