import { type NatsLink } from '../link/connection.js';
import { type LeaderSearch } from './leader-search.js';
import { infoOfLeader } from './stream-info.js';

/** A reader that has got no message for this time asks for the leader. */
const quietMs = 3_000;
/** Pause between questions that got no answer. */
const againMs = 1_000;

export interface QuietReaderOptions {
  readonly stream: string;
  /** The sequence of the last message that came, 0 before the first; undefined while none is wanted. */
  readonly lastSequence: () => number | undefined;
  readonly leaderSearch: LeaderSearch;
}

/**
 * Notices that a reader is served by a copy of the stream to which nothing new comes.
 *
 * A reader's consumer lives on one nats-server. If that is the server that the process is connected to, and it loses the
 * others, then its heartbeats go on: nothing tells the reader that the stream grows elsewhere. So a reader to which no
 * message has come for some seconds asks over its connection for the stream's leader. When there is none, the leader
 * search decides whether to connect to another server.
 */
export class QuietReader {
  private timer: NodeJS.Timeout | undefined;
  private lastSeen: number | undefined;

  constructor(
    private readonly link: NatsLink,
    private readonly options: QuietReaderOptions,
  ) {}

  start(): void {
    this.lookIn(quietMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private lookIn(ms: number): void {
    this.timer = setTimeout(() => void this.look(), ms).unref();
  }

  private async look(): Promise<void> {
    const last = this.options.lastSequence();
    const isQuiet = last !== undefined && last === this.lastSeen;
    this.lastSeen = last;
    // A single server has no others to lose.
    const asks = isQuiet && this.link.connected && this.link.nc.info?.cluster !== undefined;
    const reached = !asks || (await this.reachesLeader());
    if (this.timer !== undefined) this.lookIn(reached ? quietMs : againMs);
  }

  private async reachesLeader(): Promise<boolean> {
    const { stream, leaderSearch } = this.options;
    try {
      await infoOfLeader(this.link, stream);
      leaderSearch.answered();
      return true;
    } catch {
      leaderSearch.failed();
      return false;
    }
  }
}
