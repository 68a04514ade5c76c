import { confirmedInfo } from './confirmed-info.js';
import { type NatsLink } from '../link/connection.js';
import { LogDamagedError } from '../link/errors.js';
import { type Delivered } from './pull-subscription.js';
import { storedMessage } from './stored-message.js';
import { infoOfLeader } from './stream-info.js';
import { streamIdOf } from '../names/streams.js';

interface ContinuityOptions {
  readonly stream: string;
  readonly filterSubject?: string;
  readonly lostTailGraceMs?: number;
}

const defaultGraceMs = 10_000;

/** Checks that a stream is still the one that a reader has read, as far as it has read it. */
export class StreamContinuity {
  private streamId: string | undefined;
  private tailMissingSince: number | undefined;
  private last: Delivered | undefined;

  constructor(
    private readonly link: NatsLink,
    private readonly options: ContinuityOptions,
  ) {}

  /** Remembers the last message that the reader has received. */
  note(message: Delivered): void {
    this.last = message;
  }

  /**
   * Checks the stream for lost messages. A stream that ends before what has been read has lost its end. This becomes
   * fatal only after some time, because a server that has just taken over may still be catching up. It must be fatal:
   * reading on would skip the messages that take the lost ones' places. The stream may also have grown past that point
   * again. So the last message read must still be in its place.
   *
   * @param from the first sequence that has not been read
   * @throws LogDamagedError; any other error means: try again later
   */
  async check(from: number): Promise<void> {
    const { stream, filterSubject } = this.options;
    const info = await infoOfLeader(this.link, stream);
    const { first_seq: first, last_seq: last } = info.state;
    this.streamId ??= streamIdOf(info);
    if (streamIdOf(info) !== this.streamId) {
      throw new LogDamagedError('log-replaced', `stream ${stream} is not the one that was there before`);
    }
    if (last < from - 1) await this.tailIsMissing(last, from - 1);
    this.tailMissingSince = undefined;
    if (filterSubject === undefined && first > from) {
      throw new LogDamagedError('log-gap', `stream ${stream} begins at ${first}, but ${from} has not been read yet`);
    }
    if (this.last !== undefined && this.last.sequence >= first) await this.compare(this.last);
  }

  private async tailIsMissing(last: number, read: number): Promise<never> {
    const { stream, lostTailGraceMs = defaultGraceMs } = this.options;
    this.tailMissingSince ??= performance.now();
    const text = `stream ${stream} ends at ${last}, but ${read} has already been read`;
    if (performance.now() - this.tailMissingSince <= lostTailGraceMs) throw new Error(text);
    // One server's answer is not enough: it may itself be cut off from the rest.
    const { state } = await confirmedInfo(this.link, stream);
    if (state.last_seq < read) throw new LogDamagedError('log-lost-tail', text);
    throw new Error(text);
  }

  private async compare({ sequence, subject, data }: Delivered): Promise<void> {
    const { stream, filterSubject } = this.options;
    const stored = await storedMessage(this.link, stream, sequence);
    // Streams other than the log may have single messages removed.
    if (stored === undefined && filterSubject !== undefined) return;
    if (stored?.subject === subject && Buffer.compare(stored.data, data) === 0) return;
    const text = `stream ${stream} has another message at ${sequence} than has already been read there`;
    throw new LogDamagedError('log-lost-tail', text);
  }
}
