import { createHmac, timingSafeEqual } from 'node:crypto';
import { type ClusterKey, derivedKey, messageDigest, rollDigest } from '#jetstream';
import { DomainError } from '#kernel';
import { keptDigestBytes, type LogCheckpointedData } from '../index.js';

/** A key of the key ring. */
export type SigningKey = ClusterKey;

const keyPurpose = 'larder-checkpoint';

/** HMAC-SHA256 over `<throughSequence>:<root>`, hexadecimal. */
export function checkpointMac(key: SigningKey, throughSequence: number, root: string): string {
  return createHmac('sha256', derivedKey(key, keyPurpose)).update(`${throughSequence}:${root}`).digest('hex');
}

/** Whether a checkpoint was signed with this key. */
export function isSignedBy(key: SigningKey, { throughSequence, root, mac }: LogCheckpointedData): boolean {
  const [expected, given] = [checkpointMac(key, throughSequence, root), mac].map((text) => Buffer.from(text));
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The part of a digest that a checkpoint keeps, hexadecimal. */
export const keptPart = (digest: string): string => digest.slice(0, 2 * keptDigestBytes);

/** The kept parts of the digests of a checkpoint's messages, in order. */
export function keptParts({ digests }: LogCheckpointedData): string[] {
  const text = Buffer.from(digests, 'base64').toString('hex');
  const length = 2 * keptDigestBytes;
  return Array.from({ length: Math.floor(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

/** Collects the messages that a checkpoint will cover, one after another. */
export class Stretch {
  private readonly kept: Buffer[] = [];

  /** @param root rolling digest of everything before `fromSequence` */
  constructor(
    readonly fromSequence: number,
    private root: string,
  ) {}

  get throughSequence(): number {
    return this.fromSequence + this.kept.length - 1;
  }

  /** @throws DomainError Bug for any message except the next */
  add({ sequence, boundary, data }: { sequence: number; boundary: string; data: Uint8Array }): void {
    const expected = this.throughSequence + 1;
    if (sequence !== expected) {
      throw new DomainError('Bug', 'log-gap', `the log has ${sequence} where ${expected} should be`);
    }
    const digest = messageDigest(boundary, data);
    this.root = rollDigest(this.root, digest);
    this.kept.push(Buffer.from(keptPart(digest), 'hex'));
  }

  checkpoint(key: SigningKey): LogCheckpointedData {
    const { fromSequence, throughSequence, root } = this;
    const digests = Buffer.concat(this.kept).toString('base64');
    const mac = checkpointMac(key, throughSequence, root);
    return { fromSequence, throughSequence, root, digests, keyId: key.id, mac };
  }
}
