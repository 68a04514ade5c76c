import { setTimeout as delay } from 'node:timers/promises';
import { type ClusterInfo, type PeerInfo, type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';

/** Short: during an election a question gets no answer at all, and asking again costs little. */
const answerWithinMs = 750;
const othersWithinMs = 500;
const againMs = 10;

/**
 * A server waits at least 4 s without a message from the leader before it stands for election (`minElectionTimeout` in
 * nats-server's raft.go), and answers the leader's heartbeats every second. So no other server leads while a majority
 * has answered within this time, unless the answers were long on their way.
 */
const inTouchMs = 3_000;

/**
 * A stream as its leader knows it, or as a server knows it that has lost the leadership without noticing. For the real
 * end of the stream use `confirmedInfo`. While a replicated stream has no leader, any server with a copy answers in its
 * place, with the end of its own copy, which may lag. Such an answer says nothing about the log. Nor does the answer of
 * a leader that is cut off from the others, or was asleep: it notices that only after ten seconds, and until then
 * another one may take writes that it does not know of.
 *
 * @throws DomainError Unavailable `no-leader`, `no-majority`; what the client throws.
 */
export async function infoOfLeader(link: NatsLink, stream: string): Promise<StreamInfo> {
  const info = await ask(link, stream, answerWithinMs);
  const objection = objectionTo(info, stream);
  if (objection === undefined) return info;
  // A server that cannot reach its leader answers beside that leader, and may be the quicker one. NATS passes only the
  // first reply on. So the question is repeated: which of them is quicker varies.
  const deadlineMs = performance.now() + othersWithinMs;
  for (let leftMs = othersWithinMs; leftMs > 0; leftMs = deadlineMs - performance.now()) {
    const other = await ask(link, stream, leftMs).catch(() => undefined);
    if (other && objectionTo(other, stream) === undefined) return other;
    await delay(againMs);
  }
  throw objection;
}

async function ask(link: NatsLink, stream: string, timeout: number): Promise<StreamInfo> {
  const reply = await link.nc.request(`$JS.API.STREAM.INFO.${stream}`, undefined, { timeout });
  const answer = reply.json<StreamInfo & { error?: unknown }>();
  // The client has the texts for what the server refuses.
  return answer.error === undefined ? answer : link.jsm.streams.info(stream);
}

/** Why an answer does not count; undefined if it does. */
export function objectionTo({ cluster }: StreamInfo, stream: string): DomainError | undefined {
  if (cluster !== undefined && !cluster.leader) {
    const text = `stream ${stream} has no leader: one is being elected, or most of its NATS servers are away`;
    return new DomainError('Unavailable', 'no-leader', text);
  }
  if (!hasMajority(cluster)) {
    const text = `the leader of stream ${stream} has no contact to most of its NATS servers`;
    return new DomainError('Unavailable', 'no-majority', text);
  }
  return undefined;
}

/** Whether the leader and the servers that it has heard from lately are a majority. */
function hasMajority(cluster: ClusterInfo | undefined): boolean {
  const others = cluster?.replicas ?? [];
  return (1 + others.filter(isInTouch).length) * 2 > 1 + others.length;
}

/** Whether the leader has heard from this server lately. */
export function isInTouch({ offline, active }: PeerInfo): boolean {
  return !offline && active < inTouchMs * 1e6;
}
