import { type ClusterInfo, createInbox, type PeerInfo, type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';

/**
 * Short: a question that comes while a leader is being elected is not answered at all, and asking again costs little.
 */
const answerWithinMs = 750;
const othersWithinMs = 250;

/**
 * A server waits at least 4 s without a word from the leader before it stands for election (`minElectionTimeout` in
 * nats-server's raft.go), and answers the leader's heartbeats every second: while a majority has answered within this
 * time, nobody else leads; unless the answers were long on their way.
 */
const inTouchMs = 3_000;

/**
 * A stream as its leader knows it, or a server that has not yet noticed that it leads no more: who needs to know where
 * the stream really ends asks `confirmedInfo`. While a replicated stream has no leader, any server that holds a copy answers in its
 * place, with the end of its own copy, which may lag: such an answer says nothing about the log. Nor does
 * the answer of a leader that is cut off from the others, or was asleep: until it notices, which takes ten seconds,
 * another one may take writes that it knows nothing of.
 *
 * @throws DomainError Unavailable `no-leader`, `no-majority`; what the client throws.
 */
export async function infoOfLeader(link: NatsLink, stream: string): Promise<StreamInfo> {
  const subject = `$JS.API.STREAM.INFO.${stream}`;
  const reply = await link.nc.request(subject, undefined, { timeout: answerWithinMs });
  const answer = reply.json<StreamInfo & { error?: unknown }>();
  // The client knows how to say what the server refuses.
  const info = answer.error === undefined ? answer : await link.jsm.streams.info(stream);
  const objection = objectionTo(info, stream);
  if (objection === undefined) return info;
  // A server that has lost its leader out of sight answers beside that leader, and may be the quicker one.
  const other = await firstReply(link, subject, (one) => objectionTo(one, stream) === undefined);
  if (other === undefined) throw objection;
  return other;
}

/** Why an answer is not to be believed. */
export function objectionTo({ cluster }: StreamInfo, stream: string): DomainError | undefined {
  if (cluster !== undefined && !cluster.leader) {
    const text = `stream ${stream} has no leader: one is being elected, or most of its NATS servers are away`;
    return new DomainError('Unavailable', 'no-leader', text);
  }
  if (!hasMajority(cluster)) {
    const text = `the leader of stream ${stream} is out of touch with most of its NATS servers`;
    return new DomainError('Unavailable', 'no-majority', text);
  }
  return undefined;
}

/** The first of all replies that will do; undefined when there is none in time. */
function firstReply(
  link: NatsLink,
  subject: string,
  willDo: (info: StreamInfo) => boolean,
): Promise<StreamInfo | undefined> {
  return new Promise((resolve) => {
    const inbox = createInbox();
    const settle = (info?: StreamInfo): void => {
      clearTimeout(timer);
      subscription.unsubscribe();
      resolve(info);
    };
    const timer = setTimeout(() => settle(), othersWithinMs);
    const subscription = link.nc.subscribe(inbox, {
      callback: (error, message) => {
        if (error || message.headers?.code) return settle();
        const info = message.json<StreamInfo & { error?: unknown }>();
        if (info.error === undefined && willDo(info)) settle(info);
      },
    });
    link.nc.publish(subject, undefined, { reply: inbox });
  });
}

/** Whether the leader has lately heard of so many others that together they are most of all. */
function hasMajority(cluster: ClusterInfo | undefined): boolean {
  const others = cluster?.replicas ?? [];
  return (1 + others.filter(isInTouch).length) * 2 > 1 + others.length;
}

/** Whether the leader has lately heard of another server. */
export function isInTouch({ offline, active }: PeerInfo): boolean {
  return !offline && active < inTouchMs * 1e6;
}
