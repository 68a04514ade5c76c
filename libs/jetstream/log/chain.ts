import { createHash } from 'node:crypto';

/**
 * The hash chain of the log. Every commit names the digest of the one before it on its boundary (`prev`), so a commit
 * that was changed, removed or slipped in no longer fits its neighbours; checkpoints (see `contexts/log`) roll the
 * digests of all messages, in the order of the log, into one.
 */

/** `prev` of the first commit of a boundary. */
export const chainStart = '';

/** What a rolling digest starts from. */
export const emptyRoot = '0'.repeat(64);

/**
 * Digest of one message of the log: SHA-256 over its boundary, a zero byte, and its data as stored; hexadecimal. The
 * sequence is not in it, so that a message that moved is still recognised; nor is the cluster's name, so that a log may
 * be restored under another one.
 */
export function messageDigest(boundary: string, data: Uint8Array): string {
  return createHash('sha256').update(boundary).update('\0').update(data).digest('hex');
}

/** The digest of everything up to and including a message: SHA-256 over the root before it and its own digest. */
export function rollDigest(root: string, digest: string): string {
  return createHash('sha256').update(root, 'hex').update(digest, 'hex').digest('hex');
}
