import { type StreamInfo } from 'nats';
import { isInTouch } from './stream-info.js';

/** The answers to one question about a stream, and the servers over whose connections they came. */
export class Tally {
  /** By the server that claims to lead. */
  private readonly claims = new Map<string, StreamInfo>();
  private readonly heardOver = new Set<string>();

  /** @param server the one over whose connection a leader's answer came */
  hear(server: string, claim: StreamInfo): void {
    this.heardOver.add(server);
    // Any answer of the same leader will do: each was given after the question.
    this.claims.set(claim.cluster?.leader ?? server, claim);
  }

  /** The answer with the highest end; undefined when no server claims to lead. */
  get best(): StreamInfo | undefined {
    const [first, ...others] = this.claims.values();
    return others.reduce<StreamInfo | undefined>((a, b) => (a && b.state.last_seq > a.state.last_seq ? b : a), first);
  }

  /** How many servers keep the stream. */
  get size(): number {
    return sizeOf(this.best);
  }

  /** Servers that claim to lead, or over whose connections such a claim came. */
  get counted(): number {
    return this.members.filter((name) => this.isCounted(name)).length;
  }

  get hasMajority(): boolean {
    return this.best !== undefined && (this.size === 1 || this.counted * 2 > this.size);
  }

  /** Servers of the stream that are not counted yet. */
  get missing(): string[] {
    return this.members.filter((name) => !this.isCounted(name));
  }

  /** Whether the server of the best answer has heard from that server lately. */
  isInTouchWith(server: string): boolean {
    return this.best?.cluster?.replicas?.some((peer) => peer.name === server && isInTouch(peer)) ?? false;
  }

  private get members(): string[] {
    return membersOf(this.best);
  }

  private isCounted(name: string): boolean {
    return this.claims.has(name) || this.heardOver.has(name);
  }
}

/** Names of the servers that keep a stream, the leader first; empty if it is not clustered. */
export function membersOf(info: StreamInfo | undefined): string[] {
  const { leader, replicas = [] } = info?.cluster ?? {};
  return [...(leader ? [leader] : []), ...replicas.map(({ name }) => name)];
}

/** How many servers keep a stream. */
export function sizeOf(info: StreamInfo | undefined): number {
  return 1 + (info?.cluster?.replicas?.length ?? 0);
}
