import { type StoredMsg } from 'nats';
import { chainStart, messageDigest } from './chain.js';
import { type Names } from '../names/streams.js';

/** Where a boundary ends. */
export interface ChainHead {
  readonly sequence: number;
  readonly digest: string;
}

type MessageQuery = { last_by_subj: string } | { seq: number };

/** More boundaries than one process writes to at a time. A boundary that was dropped costs one read. */
const remembered = 10_000;

/**
 * The ends of the boundaries that this process writes to. They allow a commit to be chained to the one before it
 * without reading that one back. Commits of other writers are read when they are needed.
 */
export class ChainHeads {
  private readonly heads = new Map<string, ChainHead>();
  private readonly turns = new Map<string, Promise<void>>();

  constructor(
    private readonly message: (query: MessageQuery) => Promise<StoredMsg | undefined>,
    private readonly names: Names,
  ) {}

  /** Digest of the boundary's commit at a sequence; undefined where there is none of this boundary. */
  async digestAt(boundary: string, sequence: number): Promise<string | undefined> {
    if (sequence === 0) return chainStart;
    const known = this.heads.get(boundary);
    if (known?.sequence === sequence) return known.digest;
    const found = await this.message({ seq: sequence });
    return found?.subject === this.names.eventSubject(boundary) ? messageDigest(boundary, found.data) : undefined;
  }

  /** The remembered end, else the end as the stream's leader knows it; undefined for an empty boundary. */
  async last(boundary: string): Promise<ChainHead | undefined> {
    const known = this.heads.get(boundary);
    if (known) return known;
    const found = await this.message({ last_by_subj: this.names.eventSubject(boundary) });
    if (!found) return undefined;
    const head = { sequence: found.seq, digest: messageDigest(boundary, found.data) };
    this.remember(boundary, head);
    return head;
  }

  remember(boundary: string, head: ChainHead): void {
    this.heads.delete(boundary);
    this.heads.set(boundary, head);
    if (this.heads.size > remembered) this.heads.delete(this.heads.keys().next().value!);
  }

  forget(boundary: string): void {
    this.heads.delete(boundary);
  }

  /** Runs the work of a boundary in turn: each piece starts behind what the one before it appended. */
  inTurn<T>(boundary: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.turns.get(boundary) ?? Promise.resolve()).then(work);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(boundary, ended);
    void ended.then(() => {
      if (this.turns.get(boundary) === ended) this.turns.delete(boundary);
    });
    return turn;
  }
}
