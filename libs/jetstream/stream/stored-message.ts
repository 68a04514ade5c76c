import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf } from '../link/errors.js';
import { type Delivered, recordedAtHeader } from './pull-subscription.js';

const answerWithinMs = 750;

/**
 * The first message of a stream from a sequence on, as the stream's leader has it; undefined when there is none yet.
 * @param filterSubject undefined: any subject, and then only the message at that very sequence
 * @throws what the client throws; DomainError Unavailable
 */
export async function storedMessage(
  link: NatsLink,
  stream: string,
  from: number,
  filterSubject?: string,
): Promise<Delivered | undefined> {
  const query = filterSubject === undefined ? { seq: from } : { seq: from, next_by_subj: filterSubject };
  try {
    const message = await link.abortable(() => link.jsm.streams.getMessage(stream, query), answerWithinMs);
    const recordedAtMs = Date.parse(message.header.get(recordedAtHeader) || message.timestamp);
    const { subject, data, seq: sequence } = message;
    return { subject, data, sequence, recordedAtMs, deliveries: 1, deliverySequence: 0, reply: '' };
  } catch (error) {
    if (apiCodeOf(error) === ApiCode.noMessageFound) return undefined;
    throw error;
  }
}
