import { hkdfSync } from 'node:crypto';

/** A key that all processes of the cluster, or all coordinators, have: 32 bytes. */
export interface ClusterKey {
  readonly id: string;
  readonly key: Uint8Array;
}

/** HKDF-SHA256 (RFC 5869) makes one key for each purpose, so that no key has two uses. @returns 32 bytes */
export function derivedKey({ key }: Pick<ClusterKey, 'key'>, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', purpose, 32));
}
