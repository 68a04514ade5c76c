import { type StoredMsg } from 'nats';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf } from '../link/errors.js';
import { type StoredCommit } from './read-stored-commits.js';
import { unavailableUnlessRefused } from '../link/retry-budget.js';
import { type Names } from '../names/streams.js';

export type MessageQuery = { last_by_subj: string } | { seq: number; next_by_subj: string } | { seq: number };

/** Short: a stream without a leader gives no answer, and the new leader should be asked soon. */
const messageTimeoutMs = 1_000;

/** Reads single messages of the log from the stream's leader. All methods throw DomainError Unavailable. */
export class LogMessages {
  constructor(
    private readonly link: NatsLink,
    private readonly names: Names,
  ) {}

  /** Uses the stream's own API, which its leader answers: a "direct get" may come from a follower that is behind. */
  async find(query: MessageQuery): Promise<StoredMsg | undefined> {
    const { link, names } = this;
    const ask = () => link.jsm.streams.getMessage(names.eventStream, query);
    try {
      return await unavailableUnlessRefused(link, ask, messageTimeoutMs);
    } catch (error) {
      if (apiCodeOf(error) === ApiCode.noMessageFound) return undefined;
      throw error;
    }
  }

  /** The message that follows `expected` on the subject. */
  async holderOf(subject: string, expected: number): Promise<{ sequence: number; data: Uint8Array } | undefined> {
    const message = await this.find({ seq: expected + 1, next_by_subj: subject });
    return message && { sequence: message.seq, data: message.data };
  }

  async lastSequenceOf(subject: string): Promise<number> {
    return (await this.find({ last_by_subj: subject }))?.seq ?? 0;
  }

  /** The last message of the log, of any writer. */
  async newest(): Promise<StoredCommit | undefined> {
    const message = await this.find({ last_by_subj: this.names.eventSubjects });
    if (!message) return undefined;
    const boundary = this.names.boundaryOf(message.subject);
    return { sequence: message.seq, boundary, data: message.data, recordedAtMs: message.time.getTime() };
  }
}
