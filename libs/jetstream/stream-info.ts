import { type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';

/**
 * Short: a question that comes while a leader is being elected is not answered at all, and asking again costs little.
 */
const answerWithinMs = 750;

/**
 * A stream as its leader knows it. While a replicated stream has no leader, any server that holds a copy answers in its
 * place, with the end of its own copy, which may lag: such an answer says nothing about the log.
 *
 * @throws DomainError Unavailable `no-leader`; what the client throws.
 */
export async function infoOfLeader(link: NatsLink, stream: string): Promise<StreamInfo> {
  const reply = await link.nc.request(`$JS.API.STREAM.INFO.${stream}`, undefined, { timeout: answerWithinMs });
  const answer = reply.json<StreamInfo & { error?: unknown }>();
  // The client knows how to say what the server refuses.
  const info = answer.error === undefined ? answer : await link.jsm.streams.info(stream);
  if (info.cluster !== undefined && !info.cluster.leader) {
    throw new DomainError(
      'Unavailable',
      'no-leader',
      `stream ${stream} has no leader: one is being elected, or most of its NATS servers are away`,
    );
  }
  return info;
}
