import { createHash, hash } from 'node:crypto';

/**
 * The hash chain of the log. Every commit names the digest of the one before it on its boundary (`prev`). So a commit
 * that was changed, removed or inserted no longer fits its neighbours. Checkpoints (see `contexts/log`) roll the
 * digests of all messages, in the order of the log, into one.
 */

/** `prev` of the first commit of a boundary. */
export const chainStart = '';

/** Start value of a rolling digest. */
export const emptyRoot = '0'.repeat(64);

/**
 * Digest of one message of the log: SHA-256 over its boundary, a zero byte, and its data as stored; hexadecimal. It
 * does not cover the sequence, so that a message that moved is still recognised. It does not cover the cluster's name
 * either, so that a log may be restored under another one.
 */
export function messageDigest(boundary: string, data: Uint8Array): string {
  // Readers do this for every message of the log. Hashing one piece takes half the time that three pieces take.
  const prefixBytes = Buffer.byteLength(boundary) + 1;
  if (prefixBytes + data.length > joined.length) {
    return createHash('sha256').update(boundary).update('\0').update(data).digest('hex');
  }
  joined.write(boundary, 0);
  joined[prefixBytes - 1] = 0;
  joined.set(data, prefixBytes);
  return hash('sha256', joined.subarray(0, prefixBytes + data.length), 'hex');
}

/** Filled and read within one call. Most messages fit. */
const joined = Buffer.alloc(64 * 1024);

/** The digest of everything up to and including a message: SHA-256 over the root before it and its own digest. */
export function rollDigest(root: string, digest: string): string {
  if (root.length !== hexLength || digest.length !== hexLength) {
    return createHash('sha256').update(root, 'hex').update(digest, 'hex').digest('hex');
  }
  pair.write(root, 0, 'hex');
  pair.write(digest, hexLength / 2, 'hex');
  return hash('sha256', pair, 'hex');
}

const hexLength = 64;
/** Filled and read within one call. */
const pair = Buffer.alloc(hexLength);
