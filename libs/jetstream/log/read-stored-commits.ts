import { DomainError, type LogPosition } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { OrderedConsumer } from '../stream/ordered-consumer.js';
import { type Names } from '../names/streams.js';

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
  /** Aborted: the reading ends, without an error. */
  readonly signal?: AbortSignal;
  /** Reads past sequences that are missing, where that is an error otherwise: for whoever looks for what is wrong. */
  readonly acceptGaps?: boolean;
}

interface Reading {
  readonly link: NatsLink;
  readonly names: Names;
  readonly filter: string;
  readonly from: number;
  /** Infinity: goes on with what is appended from now on. */
  readonly end: number;
  /** Infinity: whoever follows the log waits for as long as it takes. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal;
  /** How many messages may be under way. */
  readonly batch?: number;
  readonly acceptGaps?: boolean;
}

/** Messages at hand before the server is not asked for more. */
const readyAtOnce = 256;
/** Longest that a reader which never waits keeps the event loop from its other work. */
const sliceMs = 10;

/** Messages of the log from a sequence to another, in order, at the pace of whoever takes them. */
export async function* readStoredCommits(reading: Reading): AsyncGenerator<StoredCommit> {
  const { link, names, filter, from, end, stallTimeoutMs, signal, batch, acceptGaps = false } = reading;
  const ready: StoredCommit[] = [];
  let failure: unknown;
  let wake = () => {};
  const consumer = new OrderedConsumer(link, {
    stream: names.eventStream,
    startSequence: from,
    batch,
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
  const aborted = () => wake();
  signal?.addEventListener('abort', aborted);
  const stalled = () => {
    failure = new DomainError('Unavailable', 'nats-unreachable', 'NATS has stopped delivering the log');
    wake();
  };
  consumer.start();
  let turnMs = performance.now();
  try {
    while (!signal?.aborted) {
      if (ready.length === 0 && failure === undefined) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const timer = stallTimeoutMs === Infinity ? undefined : setTimeout(stalled, stallTimeoutMs);
        await woken;
        clearTimeout(timer);
      }
      for (const message of ready.splice(0)) {
        if (performance.now() - turnMs > sliceMs) {
          await new Promise((next) => setImmediate(next));
          turnMs = performance.now();
        }
        if (message.sequence > end || signal?.aborted) return;
        yield message;
        if (message.sequence === end) return;
      }
      if (failure !== undefined) throw failure as Error;
      consumer.resume();
    }
  } finally {
    signal?.removeEventListener('abort', aborted);
    consumer.stop();
  }
}
