/** How many first bytes of a digest are kept: enough that no two remembered messages have the same ones by chance. */
export const shortDigestBytes = 8;

/** The first bytes of a hexadecimal digest, one character each. That is short: tens of thousands are in memory. */
export function shortDigest(digest: string): string {
  return Buffer.from(digest.slice(0, 2 * shortDigestBytes), 'hex').toString('latin1');
}

/** A short digest, back in hexadecimal. */
export function hexOf(short: string): string {
  return Buffer.from(short, 'latin1').toString('hex');
}
