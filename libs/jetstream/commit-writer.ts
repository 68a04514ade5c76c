import { type RecordedEvent } from '#kernel';
import { messageDigest } from './chain.js';
import { type EventCodec, type Seen } from './codec.js';
import { type StoredCommit } from './read-stored-commits.js';
import { type Signer, withSignature } from './signed-bytes.js';

/**
 * A commit holds only among so many messages behind the one that its writer had seen. Readers remember as many, and so
 * find each replay: an old message is too old, a young one is remembered.
 */
export const seenWindow = 65_536;
/** First bytes of a digest that a commit names what it has seen by. */
const seenDigestChars = 16;
/** What was seen longer ago is looked at again: at some thousand messages a second it would soon be too old. */
const freshMs = 3_000;

/** A message to be appended. */
export interface EncodedCommit {
  readonly data: Uint8Array;
  /** The sequence that it says its writer has seen; undefined of one that is not signed. */
  readonly seen: number | undefined;
}

/** Turns events into the bytes of a message: chained, tied to the place in the log that the writer stands at, signed. */
export class CommitWriter {
  private newest: { seen: Seen; atMs: number } | undefined;

  constructor(
    private readonly codec: EventCodec,
    private readonly signer: Signer | undefined,
    private readonly readNewest: () => Promise<StoredCommit | undefined>,
  ) {}

  saw(sequence: number, digest: string): void {
    if (sequence < (this.newest?.seen[0] ?? 0)) return;
    this.newest = { seen: [sequence, digest.slice(0, seenDigestChars)], atMs: performance.now() };
  }

  /** @throws what the codec throws; DomainError Unavailable when the log cannot be asked how far it goes */
  async encode(
    boundary: string,
    prev: string,
    events: readonly RecordedEvent[],
    maxPayloadBytes?: number,
  ): Promise<EncodedCommit> {
    const commit = { commitId: events[0]?.id ?? '', prev, events };
    if (!this.signer) return { data: this.codec.encode(commit, maxPayloadBytes), seen: undefined };
    const { writer: by, keyId: key } = this.signer;
    const seen = await this.lastSeen();
    const bytes = this.codec.encode({ ...commit, by, key, seen }, maxPayloadBytes);
    return { data: withSignature(boundary, bytes, this.signer), seen: seen[0] };
  }

  /** It stands in the log. @returns whether readers will have it: not too far behind what it says it has seen */
  stored(sequence: number, digest: string, { seen }: EncodedCommit): boolean {
    this.saw(sequence, digest);
    this.signer?.stored?.(digest);
    return seen === undefined || sequence - seen < seenWindow;
  }

  private async lastSeen(): Promise<Seen> {
    if (!this.newest || performance.now() - this.newest.atMs > freshMs) {
      const message = await this.readNewest();
      if (message) this.saw(message.sequence, messageDigest(message.boundary, message.data));
    }
    return this.newest?.seen ?? [0, ''];
  }
}
