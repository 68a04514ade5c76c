import { type RecordedEvent } from '#kernel';
import { messageDigest } from './chain.js';
import { type EventCodec, type Seen } from './codec.js';
import { type StoredCommit } from './read-stored-commits.js';
import { type Signer, withSignature } from './signed-bytes.js';

/**
 * A commit is valid only within so many messages behind the one that its writer had seen. Readers remember as many
 * messages, and so find each replay: they reject an old message by its age and recognise a recent one.
 */
export const seenWindow = 65_536;
/** How many characters of a digest a commit states for the message it has seen. */
const seenDigestChars = 16;

/** The message of its boundary that a commit goes behind: 0 and `chainStart` for the first commit. */
export interface CommitPlace {
  readonly after: number;
  /** That message's digest. */
  readonly prev: string;
}

/** A message to be appended. */
export interface EncodedCommit {
  readonly data: Uint8Array;
  /** The sequence that the message states as seen by its writer; undefined if it is not signed. */
  readonly seen: number | undefined;
}

/** Turns events into the bytes of a message: chained, tied to the writer's place in the log, signed. */
export class CommitWriter {
  private newest: Seen | undefined;

  constructor(
    private readonly codec: EventCodec,
    private readonly signer: Signer | undefined,
    private readonly readNewest: () => Promise<StoredCommit | undefined>,
  ) {}

  saw(sequence: number, digest: string): void {
    if (sequence < (this.newest?.[0] ?? 0)) return;
    this.newest = [sequence, digest.slice(0, seenDigestChars)];
  }

  /**
   * @param place behind which message it goes
   * @throws what the codec throws; DomainError Unavailable when the log cannot be asked for its end
   */
  async encode(
    boundary: string,
    place: CommitPlace,
    events: readonly RecordedEvent[],
    maxPayloadBytes?: number,
  ): Promise<EncodedCommit> {
    const commit = { commitId: events[0]?.id ?? '', prev: place.prev, events };
    if (!this.signer) return { data: this.codec.encode(commit, maxPayloadBytes), seen: undefined };
    const { writer: by, keyId: key } = this.signer;
    const seen = await this.lastSeen();
    const bytes = this.codec.encode({ ...commit, after: place.after, by, key, seen }, maxPayloadBytes);
    return { data: withSignature(boundary, bytes, this.signer), seen: seen[0] };
  }

  /** Notes that it was stored. @returns whether readers accept it: not too far behind what it states as seen */
  stored(sequence: number, digest: string, { seen }: EncodedCommit): boolean {
    this.saw(sequence, digest);
    this.signer?.stored?.(digest);
    return seen === undefined || sequence - seen < seenWindow;
  }

  /** Asks the log only if this process has read nothing yet. `stored` reports a place that is too far behind. */
  private async lastSeen(): Promise<Seen> {
    const message = this.newest ? undefined : await this.readNewest();
    if (message) this.saw(message.sequence, messageDigest(message.boundary, message.data));
    return this.newest ?? [0, ''];
  }
}
