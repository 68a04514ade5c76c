import { setTimeout as delay } from 'node:timers/promises';
import { type StreamInfo } from 'nats';
import { type NatsLink } from '../link/connection.js';
import { objectionTo } from './stream-info.js';

/** Failures for less than this time may be due to an election. */
const patienceMs = 4_000;
/** A leader that was just elected gets this time to answer over the present connection. */
const electedMs = 1_000;
const answerWithinMs = 500;

/**
 * Moves a process to another NATS server when a stream has a leader but cannot be used over the present connection.
 *
 * A nats-server that does not reach the leader still accepts clients, and tells them all the while that the stream has
 * no leader. Another server may serve them at once. So, when every request of one kind has failed for some seconds, the
 * servers are asked over the connections that `confirmedInfo` keeps to them. If another server passes on the answer of a
 * leader that has a majority, and the process' own server does not, the process opens a new connection. A request that fails
 * although the own server reaches the leader has another cause: consumers, for example, are made by a leader of their
 * own, which may be elected seconds later.
 */
export class LeaderSearch {
  private failingSinceMs: number | undefined;
  private leaderSeenAtMs: number | undefined;
  private asking = false;

  constructor(
    private readonly link: NatsLink,
    private readonly stream: string,
  ) {}

  /** The stream's leader answered a request, with a refusal or not. */
  answered(): void {
    this.failingSinceMs = undefined;
    this.leaderSeenAtMs = undefined;
  }

  /** A request got no answer, or had no responder. */
  failed(): void {
    this.failingSinceMs ??= performance.now();
    if (this.asking || performance.now() - this.failingSinceMs < patienceMs) return;
    this.asking = true;
    void this.look().finally(() => (this.asking = false));
  }

  private async look(): Promise<void> {
    if (!this.link.connected) return;
    const seeing = await this.serversWithLeader();
    if (this.failingSinceMs === undefined) return;
    const own = this.link.nc.info?.server_name ?? '';
    const [elsewhere] = seeing;
    if (elsewhere === undefined || seeing.has(own)) {
      this.leaderSeenAtMs = undefined;
      return;
    }
    this.leaderSeenAtMs ??= performance.now();
    if (performance.now() - this.leaderSeenAtMs < electedMs) return;
    this.answered();
    await this.link.moveOn(`stream ${this.stream} is out of reach here, and server ${elsewhere} sees its leader`);
  }

  /** Servers over whose connections a leader with a majority answers. */
  private async serversWithLeader(): Promise<Set<string>> {
    const { witnesses } = this.link;
    await witnesses.open();
    const seeing = new Set<string>();
    const ends = [...witnesses.lines()].map(([server, line]) =>
      line.ask(`$JS.API.STREAM.INFO.${this.stream}`, (reply) => {
        if (reply.headers?.code) return;
        const info = reply.json<StreamInfo & { error?: unknown }>();
        if (info.error === undefined && objectionTo(info, this.stream) === undefined) seeing.add(server);
      }),
    );
    await delay(answerWithinMs);
    for (const end of ends) end();
    return seeing;
  }
}
