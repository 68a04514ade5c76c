import { type Msg, type StreamInfo } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { isAtLeast } from '../link/server-versions.js';
import { infoOfLeader, objectionTo } from './stream-info.js';
import { membersOf, sizeOf, Tally } from './tally.js';
import { type Line } from '../link/witnesses.js';

/** As long as one leader is asked for alone. */
const withinMs = 750;
/** When servers that seemed not to be needed are asked as well. */
const hedgeMs = 75;
/** How long the answer of a majority waits for another one. */
const graceMs = 25;

/** Before a question is put again that got an answer which says nothing. */
const againMs = 20;

/** Older servers, once elected, answer before they have applied all that they took over. */
const silentUntilApplied = '2.11.0';
/** Until then such a server is given time for that: it has to hear of one other. */
const appliedWithinMs = 100;

/** Who kept a stream, the leader first, when it was last asked about: tells which servers to ask first, nothing else. */
const lastMembers = new WeakMap<NatsLink, Map<string, string[]>>();

/**
 * A stream as it was at some moment after the call: nothing that anybody was told is stored at the call lies behind its
 * end. Concurrent callers had better share a call: it costs a question over one connection for each follower.
 *
 * **Why a leader's word is not enough.** A server A that led the stream and has been cut off answers for ten seconds as
 * if it still did, while the others have elected L and take writes. What A says of its followers does not help: how long
 * ago it heard of them is counted from the arrival of what they said, however long that was on its way.
 *
 * **What is done.** The question is put over connections to the servers that follow, one to each, and each of those
 * servers passes it on over its own routes to whoever leads. An answer of A that came over B's connection was given
 * after the call, so
 *
 * 1. A itself had not voted for another leader when the call was made: it would have stepped down;
 * 2. the way from B to A and back was quick. Had B been elected before the call, its request for A's vote, which makes A
 *    step down, would have gone that way before the question did;
 * 3. nor can A have failed for long to hear that B has voted for a third server C: it sends to B with every write, and
 *    once a second without any, and B refuses what comes from a leader of an earlier term.
 *
 * A counts, and so does every server over whose connection A's answer came; together they must be most of those that
 * keep the stream, else the end is not known. So the answer of A over A's own connection, or over its slow routes, is
 * not believed. It is at C that the argument is weak, for the second that (3) may take, and therefore every other server
 * that can be asked is, and is waited for a little, even when most have answered: if C is connected to, C itself says
 * that it leads. If it is not, and A has lost it out of sight as well, so that C may have stood for election, then the
 * answer waits for as long as C's own may be behind A's over B's connection.
 *
 * **Two who claim to lead.** Neither had voted for somebody else when the call was made, so of three servers nobody but
 * these two could have been elected by then, and the one of the later term knows of every write. It has the higher end of
 * the two: a server only counts what was committed.
 *
 * **What remains.** A is believed wrongly when B hears both A and C, nobody else hears C (not A, nor this process), C was
 * elected by B's vote within the last second or so, and C's answer comes over B more than `graceMs` later than A's. Or
 * when all that holds, C being in A's sight only because its answers take more than a second to A. Or when, between B and
 * A, the servers' connection for elections is slow while that for clients' messages is not. And before 2.11 a server that
 * has just been elected answers although it has not yet applied the last that it took over; when another one leads than
 * last time, it is therefore asked twice.
 *
 * Where too few servers are known for that at all, as when there is one address of several servers and they do not tell
 * theirs, the leader's word is taken, and a line in the log says so once. It is not taken because the others are
 * unreachable just now.
 *
 * Protocol: nats-server's `jsStreamInfoRequest` (jetstream_api.go), `processVoteRequest`, `processAppendEntry` (raft.go).
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
  // Whether an address that NATS told of leads anywhere is known once it was tried.
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

  /** Those that are thought to follow. */
  private askFirst(): void {
    const [leader, ...followers] = this.members;
    const lines = this.link.witnesses.lines();
    for (const name of followers) this.ask(name, lines.get(name));
    if (this.asked.size === 0) this.ask(leader, lines.get(leader));
    // Not as many as are needed, whatever they answer.
    if (this.asked.size * 2 < this.members.length - 1) this.askRest();
  }

  private askRest(): void {
    for (const [name, line] of this.link.witnesses.lines()) this.ask(name, line);
  }

  /** A connection is there that was not, or one that was asked over is gone. */
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
    // Nobody there who knows of streams.
    if (reply.headers?.code) return;
    const info = reply.json<StreamInfo & { error?: { code: number } }>();
    if (info.error !== undefined) {
      // The client knows how to say what the server refuses. A server that is cut off may also say "not now".
      if (info.error.code < 500) this.end(() => this.link.jsm.streams.info(this.stream));
      return;
    }
    const objection = objectionTo(info, this.stream);
    this.objection ??= objection;
    // A server that has lost its leader out of sight answers beside that leader, and may be the quicker one. NATS passes
    // the first reply on and drops the other, so the question is put again, for which of them is quicker varies.
    if (objection !== undefined) return this.after(againMs, () => this.put(server, line));
    this.tally.hear(server, info);
    this.consider();
  }

  private consider(): void {
    const { tally, link } = this;
    if (!tally.hasMajority) return;
    const lines = link.witnesses.lines();
    // Nobody else can be heard, or has anything to say.
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
    return objection ?? new DomainError('Unavailable', 'nats-silent', `nobody answers for stream ${stream}`);
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
