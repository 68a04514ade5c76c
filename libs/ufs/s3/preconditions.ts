import type { UfsObject } from '../types.js';
import { compareVersions, preconditionOf } from '../version.js';
import type { S3Client, S3Request } from './s3-client.js';

/** No object has this tag, and no object is this old. */
const impossible = {
  'if-match': '"larder-asks-for-what-is-not-there"',
  'if-unmodified-since': 'Tue, 02 Jan 1990 00:00:00 GMT',
} as const;
type Precondition = keyof typeof impossible;

/** Refusals that are remembered, so that a second one can be checked. */
const maxRemembered = 1000;

/**
 * How a server treats preconditions. Some servers ignore them. Some compare with another tag than the one they show.
 * Both are detected from its answers, once for each connector.
 */
export class Preconditions {
  private readonly heeded = new Map<Precondition, boolean>();
  private readonly refused = new Set<string>();
  private misleading = false;
  private isBelieved = false;

  constructor(private readonly client: S3Client) {}

  isSent(expectedVersion: string | undefined): boolean {
    return !this.misleading && expectedVersion !== undefined && preconditionOf(expectedVersion) !== undefined;
  }

  /**
   * Whether the server has refused a version that it has: then no more preconditions are sent. When a refusal was
   * checked once and was right, later ones are trusted, unless the same one comes again: as a rule the object has
   * changed.
   * @param stat what the server has
   */
  async mislead(path: string, expectedVersion: string, stat: () => Promise<UfsObject>): Promise<boolean> {
    const id = JSON.stringify([path, expectedVersion]);
    if (this.isBelieved && !this.refused.delete(id)) {
      this.refused.add(id);
      if (this.refused.size > maxRemembered) this.refused.delete(this.refused.values().next().value!);
      return false;
    }
    const { version } = await stat();
    this.misleading ||= compareVersions(version, expectedVersion) === 'same';
    this.isBelieved = true;
    return this.misleading;
  }

  /**
   * For a server that refuses the header itself: the answer without it, if that is a good one. Then no more are sent.
   */
  async dropIfGood<T extends { answer: { status: number }; discard: () => void }>(
    refused: T,
    without: () => Promise<T>,
  ): Promise<T> {
    const second = await without();
    const isGood = second.answer.status < 300;
    this.misleading ||= isGood;
    (isGood ? refused : second).discard();
    return isGood ? second : refused;
  }

  /**
   * Whether the precondition alone makes a good answer to this request proof of the version: the server refuses another
   * version with 412 (RFC 9110, 13.2). This is tried once, with a condition that cannot hold, for the first byte.
   * @param forThis tried for this object too, as its answer is evidence against the server
   */
  async vouchFor({ path, key, headers, signal }: S3Request, forThis = false): Promise<boolean> {
    const name = (Object.keys(impossible) as Precondition[]).find((one) => headers?.[one] !== undefined);
    if (name === undefined) return false;
    const known = this.heeded.get(name);
    if (known === false || (known === true && !forThis)) return known;
    const probe = { [name]: impossible[name], range: 'bytes=0-0' };
    const { status, body } = await this.client.stream({ method: 'GET', path, key, headers: probe, signal });
    body.destroy();
    const isHeeded = status === 412;
    // A failure, or a refusal for another reason, proves nothing.
    if (known === undefined && (isHeeded || [200, 206, 416].includes(status))) this.heeded.set(name, isHeeded);
    return isHeeded;
  }
}
