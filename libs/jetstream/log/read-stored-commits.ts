import { DomainError, type LogPosition } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { OrderedConsumer } from '../stream/ordered-consumer.js';
import { type Names } from '../names/streams.js';

/** A message of the log as it is stored. */
export interface StoredCommit extends LogPosition {
  readonly data: Uint8Array;
  /** When the log stored it, by the NATS server's clock; for a restored message, when the original log did. */
  readonly recordedAtMs: number;
}

export interface ReadOptions {
  /** First sequence. Default, and at least: the first that still exists. */
  readonly from?: number;
  /** Last sequence. Default, and at most: the end of the log at the call. */
  readonly through?: number;
  readonly stallTimeoutMs?: number;
  /** When it is aborted, the reading ends without an error. */
  readonly signal?: AbortSignal;
  /** Skips missing sequences, which are an error otherwise: for callers that look for damage. */
  readonly acceptGaps?: boolean;
}

interface Reading {
  readonly link: NatsLink;
  readonly names: Names;
  readonly filter: string;
  readonly from: number;
  /** Infinity: continues with what is appended from now on. */
  readonly end: number;
  /** Infinity: a follower of the log waits as long as it takes. */
  readonly stallTimeoutMs: number;
  readonly signal?: AbortSignal;
  /** How many messages may be under way. */
  readonly batch?: number;
  readonly acceptGaps?: boolean;
}

/** With so many messages at hand, the server is asked for no more. */
const readyAtOnce = 256;
/** How long a reader that never waits may keep the event loop from other work. */
const sliceMs = 10;

/** Messages of the log from one sequence to another, in order, at the caller's pace. */
export async function* readStoredCommits(reading: Reading): AsyncGenerator<StoredCommit> {
  const { link, names, filter, from, end, stallTimeoutMs, signal, batch, acceptGaps = false } = reading;
  const ready: StoredCommit[] = [];
  let failure: unknown;
  let wake = () => {};
  const consumer = new OrderedConsumer(link, {
    stream: names.eventStream,
    startSequence: from,
    batch,
    // Without a filter a gap in the log is an error. With one it would not be seen.
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
