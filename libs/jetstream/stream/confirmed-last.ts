import { Bell } from '#async';
import { type Msg } from 'nats';
import { DomainError } from '#kernel';
import { confirmedInfo } from './confirmed-info.js';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf } from '../link/errors.js';
import { sizeOf } from './tally.js';

const withinMs = 750;
/** How long the answers of a majority wait for those of the other servers. */
const graceMs = 25;

/**
 * The sequence of a stream's last message on a subject (wildcards are allowed), 0 if there is none. It is at least the
 * last one whose storage was acknowledged before the call.
 *
 * A server can lose the leadership without noticing. Its answers then miss the writes of its successor. So the question
 * goes over connections to several servers, as in `confirmedInfo` and for the same reasons. An answer does not name the
 * server that gave it. So what counts is over whose connections answers came, and the leader that `confirmedInfo` has
 * just named. If answers differ, the highest is the newest.
 *
 * @throws DomainError Unavailable as `confirmedInfo`; what the client throws.
 */
export async function confirmedLast(link: NatsLink, stream: string, subject: string): Promise<number> {
  const info = await confirmedInfo(link, stream);
  const size = sizeOf(info);
  if (size === 1) return lastOfLeader(link, stream, subject);
  if (link.witnesses.knownServers() * 2 <= size) {
    // No other server can be asked; `confirmedInfo` has logged that. The second call checks that the server which
    // answered still leads, as far as it knows.
    const last = await lastOfLeader(link, stream, subject);
    await confirmedInfo(link, stream);
    return last;
  }
  const counted = new Set(info.cluster?.leader === undefined ? [] : [info.cluster.leader]);
  const asking = new Asking(link, `$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ last_by_subj: subject }));
  try {
    if (!(await asking.heard.until(() => asking.hasMajority(counted, size) || undefined, withinMs))) {
      const text = `too few of the ${size} NATS servers of stream ${stream} say what its last message on ${subject} is`;
      throw new DomainError('Unavailable', 'no-majority', text);
    }
    await asking.heard.until(() => asking.isComplete || undefined, graceMs);
    return asking.highest;
  } finally {
    asking.end();
  }
}

async function lastOfLeader(link: NatsLink, stream: string, subject: string): Promise<number> {
  try {
    return (await link.abortable(() => link.jsm.streams.getMessage(stream, { last_by_subj: subject }))).seq;
  } catch (error) {
    if (apiCodeOf(error) === ApiCode.noMessageFound) return 0;
    throw error;
  }
}

/** One question over all connections there are. */
class Asking {
  highest = 0;
  /** Rings with every answer. */
  readonly heard = new Bell();
  private readonly heardOver = new Set<string>();
  private readonly ends: (() => void)[] = [];
  private readonly asked: number;

  constructor(link: NatsLink, subject: string, payload: string) {
    const lines = link.witnesses.lines();
    this.asked = lines.size;
    for (const [server, line] of lines) {
      this.ends.push(line.ask(subject, (reply) => this.hear(server, reply), payload));
    }
  }

  get isComplete(): boolean {
    return this.heardOver.size === this.asked;
  }

  hasMajority(others: ReadonlySet<string>, size: number): boolean {
    return this.heardOver.size > 0 && new Set([...this.heardOver, ...others]).size * 2 > size;
  }

  end(): void {
    for (const end of this.ends) end();
  }

  private hear(server: string, reply: Msg): void {
    // A status: no JetStream there.
    if (reply.headers?.code) return;
    const answer = reply.json<{ message?: { seq: number }; error?: { err_code: number } }>();
    if (answer.error !== undefined && answer.error.err_code !== ApiCode.noMessageFound) return;
    this.highest = Math.max(this.highest, answer.message?.seq ?? 0);
    this.heardOver.add(server);
    this.heard.sound();
  }
}
