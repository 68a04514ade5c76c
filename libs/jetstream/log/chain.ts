import { createHash } from 'node:crypto';

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
  return createHash('sha256').update(boundary).update('\0').update(data).digest('hex');
}

/** The digest of everything up to and including a message: SHA-256 over the root before it and its own digest. */
export function rollDigest(root: string, digest: string): string {
  return createHash('sha256').update(root, 'hex').update(digest, 'hex').digest('hex');
}
