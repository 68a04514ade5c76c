import { within } from '#async';
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
 * other servers are asked over the connections that `confirmedInfo` keeps to them. If one of them passes on the answer
 * of a leader that has a majority, the process connects anew.
 */
export class LeaderSearch {
  private failingSinceMs: number | undefined;
  private leaderSeenAtMs: number | undefined;
  private asking = false;

  constructor(
    private readonly link: NatsLink,
    private readonly stream: string,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The stream's leader answered a request, with a refusal or not. */
  answered(): void {
    this.failingSinceMs = undefined;
    this.leaderSeenAtMs = undefined;
  }

  /** A request got no answer, or had no responder. */
  failed(): void {
    this.failingSinceMs ??= this.now();
    if (this.asking || this.now() - this.failingSinceMs < patienceMs) return;
    this.asking = true;
    void this.look().finally(() => (this.asking = false));
  }

  private async look(): Promise<void> {
    if (!this.link.connected) return;
    const elsewhere = await this.serverWithLeader();
    if (this.failingSinceMs === undefined) return;
    if (elsewhere === undefined) {
      this.leaderSeenAtMs = undefined;
      return;
    }
    this.leaderSeenAtMs ??= this.now();
    if (this.now() - this.leaderSeenAtMs < electedMs) return;
    this.answered();
    await this.link.moveOn(`stream ${this.stream} is out of reach here, and server ${elsewhere} sees its leader`);
  }

  /** A server over whose connection a leader with a majority answers, other than the one this process uses. */
  private async serverWithLeader(): Promise<string | undefined> {
    const { witnesses, nc } = this.link;
    await witnesses.open();
    const others = [...witnesses.lines()].filter(([server]) => server !== nc.info?.server_name);
    const ends: (() => void)[] = [];
    const found = new Promise<string>((resolve) => {
      for (const [server, line] of others) {
        const hear = (info: StreamInfo & { error?: unknown }) => {
          if (info.error === undefined && objectionTo(info, this.stream) === undefined) resolve(server);
        };
        ends.push(
          line.ask(`$JS.API.STREAM.INFO.${this.stream}`, (reply) => void (reply.headers?.code || hear(reply.json()))),
        );
      }
    });
    return within(found, answerWithinMs).finally(() => ends.forEach((end) => end()));
  }
}
