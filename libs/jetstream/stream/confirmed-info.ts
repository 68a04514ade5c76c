import { type Msg, type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { isAtLeast } from '../link/server-versions.js';
import { infoOfLeader, objectionTo } from './stream-info.js';
import { membersOf, sizeOf, Tally } from './tally.js';
import { type Line } from '../link/witnesses.js';

/** How long to wait for a majority before the question fails. */
const withinMs = 750;
/** After this time the servers that seemed unnecessary are asked as well. */
const hedgeMs = 75;
/** How long the answer of a majority waits for the answers of other servers. */
const graceMs = 25;

/** Pause before a question is repeated whose answer was of no use. */
const againMs = 20;

/** Servers before this version answer once elected, although they have not yet applied all that they took over. */
const silentUntilApplied = '2.11.0';
/** Time for such a server to apply the rest: for that it must hear from one other server. */
const appliedWithinMs = 100;

/** The servers that kept a stream at the last answer, the leader first. It only tells which servers to ask first. */
const lastMembers = new WeakMap<NatsLink, Map<string, string[]>>();

/**
 * A stream as it was at some moment after the call. Every message whose storage was acknowledged before the call is
 * within its end. Concurrent callers should share a call: it costs a question over one connection for each follower.
 *
 * **Why one leader's answer is not enough.** A server A that led the stream and has been cut off answers for ten
 * seconds as if it still led. Meanwhile the others have elected L and take writes. What A says of its followers does
 * not help: A counts the age of their messages from the arrival, and a message may have been on its way for long.
 *
 * **What is done.** The question goes over connections to the followers, one to each. Each follower passes it on over
 * its own routes to the leader. An answer of A that came over B's connection was given after the call, so
 *
 * 1. A itself had not voted for another leader when the call was made: it would have stepped down;
 * 2. the way from B to A and back was quick. If B had been elected before the call, its request for A's vote, which
 *    makes A step down, would have gone that way before the question did;
 * 3. A also learns soon that B has voted for a third server C: A sends to B with every write, and once a second without
 *    any, and B refuses what comes from a leader of an earlier term.
 *
 * A counts, and so does every server over whose connection A's answer came. Together they must be a majority of the
 * servers that keep the stream, else the end is not known. So an answer of A over A's own connection, or over its slow
 * routes, does not count. The argument is weak for C, for the second that (3) may take. Therefore all other servers are
 * asked too, and their answers are awaited for a short time even after a majority has answered: if this process is
 * connected to C, C itself says that it leads. If it is not, and A does not hear C either, C may have stood for
 * election. Then the answer waits for as long as C's answer may be behind A's over B's connection.
 *
 * **Two servers that claim to lead.** Neither had voted for another one when the call was made. So of three servers
 * only these two could have been elected by then, and the one of the later term knows of every write. It has the higher
 * end of the two: a server only counts what was committed.
 *
 * **What remains.** A's answer is wrongly accepted when only B hears both A and C (A and this process do not hear C), C
 * was elected by B's vote within the last second or so, and C's answer comes over B more than `graceMs` later than A's.
 * It is also accepted when all that holds except that A does hear C, but C's answers take more than a second to A. Or
 * when, between B and A, the servers' connection for elections is slow while that for clients' messages is not. And
 * before 2.11 a server that has just been elected answers although it has not yet applied the last of what it took
 * over. Therefore it is asked twice when the leader is another one than last time.
 *
 * Sometimes too few servers are known for all this: for instance one address stands for several servers, and they do
 * not tell theirs. Then the leader's answer is accepted, and a line in the log says so once. It is not accepted when
 * the other servers are only unreachable at the moment.
 *
 * Protocol: nats-server's `jsStreamInfoRequest` (jetstream_api.go), `processVoteRequest`, `processAppendEntry`
 * (raft.go).
 *
 * @throws DomainError Unavailable `no-leader`, `no-majority`, `nats-silent`; what the client throws.
 */
export async function confirmedInfo(link: NatsLink, stream: string): Promise<StreamInfo> {
  let members = membersKnown(link, stream);
  if (members === undefined) {
    const info = await infoOfLeader(link, stream);
    if (sizeOf(info) === 1) return info;
    members = remember(link, stream, info);
  }
  const { witnesses } = link;
  const tried = witnesses.open();
  // An address that NATS has told of counts only after it was tried: it may lead nowhere.
  if (witnesses.knownServers() * 2 <= members.length) await tried;
  if (witnesses.knownServers() * 2 <= members.length) {
    witnesses.warnTooFew(members.length);
    const info = await infoOfLeader(link, stream);
    remember(link, stream, info);
    return info;
  }
  let info = await new Inquiry(link, stream, members).answer;
  if (info.cluster?.leader !== members[0] && !isAtLeast(link.serverVersion, silentUntilApplied)) {
    await new Promise((again) => setTimeout(again, appliedWithinMs));
    info = await new Inquiry(link, stream, membersOf(info)).answer;
  }
  remember(link, stream, info);
  return info;
}

function membersKnown(link: NatsLink, stream: string): string[] | undefined {
  return lastMembers.get(link)?.get(stream);
}

function remember(link: NatsLink, stream: string, info: StreamInfo): string[] {
  const members = membersOf(info);
  const streams = lastMembers.get(link) ?? new Map<string, string[]>();
  lastMembers.set(link, streams);
  if (members.length > 1) streams.set(stream, members);
  else streams.delete(stream);
  return members;
}

/** One question, put over several connections. */
class Inquiry {
  readonly answer: Promise<StreamInfo>;
  private readonly tally = new Tally();
  private readonly asked = new Set<string>();
  private readonly ends: (() => void)[] = [];
  private readonly subject: string;
  private objection: DomainError | undefined;
  private graceful = false;
  private ended = false;
  private resolve!: (info: StreamInfo | Promise<StreamInfo>) => void;

  constructor(
    private readonly link: NatsLink,
    private readonly stream: string,
    private readonly members: readonly string[],
  ) {
    this.subject = `$JS.API.STREAM.INFO.${stream}`;
    this.answer = new Promise((resolve) => (this.resolve = resolve));
    this.after(withinMs, () => this.end(() => Promise.reject(this.failure())));
    this.after(hedgeMs, () => this.askRest());
    this.ends.push(link.witnesses.onChange(() => this.changed()));
    this.askFirst();
  }

  /** Asks the servers that should be followers. */
  private askFirst(): void {
    const [leader, ...followers] = this.members;
    const lines = this.link.witnesses.lines();
    for (const name of followers) this.ask(name, lines.get(name));
    if (this.asked.size === 0) this.ask(leader, lines.get(leader));
    // These are too few for a majority, whatever they answer.
    if (this.asked.size * 2 < this.members.length - 1) this.askRest();
  }

  private askRest(): void {
    for (const [name, line] of this.link.witnesses.lines()) this.ask(name, line);
  }

  /** A connection has come up, or one that a question went over is gone. */
  private changed(): void {
    this.askRest();
    this.consider();
  }

  private ask(server: string, line: Line | undefined): void {
    if (line === undefined || this.asked.has(server)) return;
    this.asked.add(server);
    this.put(server, line);
  }

  private put(server: string, line: Line): void {
    this.ends.push(line.ask(this.subject, (reply) => this.hear(server, line, reply)));
  }

  private hear(server: string, line: Line, reply: Msg): void {
    // A status: no JetStream there.
    if (reply.headers?.code) return;
    const info = reply.json<StreamInfo & { error?: { code: number } }>();
    if (info.error !== undefined) {
      // The client has the texts for what the server refuses. A server that is cut off may also answer "not now" (5xx).
      if (info.error.code < 500) this.end(() => this.link.jsm.streams.info(this.stream));
      return;
    }
    const objection = objectionTo(info, this.stream);
    this.objection ??= objection;
    // A server that cannot reach its leader answers beside that leader, and may be the quicker one. NATS passes only
    // the first reply on. So the question is repeated: which of them is quicker varies.
    if (objection !== undefined) return this.after(againMs, () => this.put(server, line));
    this.tally.hear(server, info);
    this.consider();
  }

  private consider(): void {
    const { tally, link } = this;
    if (!tally.hasMajority) return;
    const lines = link.witnesses.lines();
    // Wait only for servers that can be asked, or that the leader does not hear (one of them may lead).
    const awaited = tally.missing.filter((name) => lines.has(name) || !tally.isInTouchWith(name));
    if (awaited.length === 0) return this.end(() => tally.best!);
    if (this.graceful) return;
    this.graceful = true;
    this.askRest();
    this.after(graceMs, () => this.end(() => tally.best!));
  }

  private failure(): DomainError {
    const { tally, stream, objection } = this;
    if (tally.best !== undefined) {
      const text = `${tally.counted} of the ${tally.size} NATS servers of stream ${stream} agree on who leads it: too few`;
      return new DomainError('Unavailable', 'no-majority', text);
    }
    return objection ?? new DomainError('Unavailable', 'nats-silent', `no server answers for stream ${stream}`);
  }

  private after(ms: number, act: () => void): void {
    const timer = setTimeout(act, ms);
    this.ends.push(() => clearTimeout(timer));
  }

  private end(answer: () => StreamInfo | Promise<StreamInfo>): void {
    if (this.ended) return;
    this.ended = true;
    for (const end of this.ends.splice(0)) end();
    this.resolve(answer());
  }
}
