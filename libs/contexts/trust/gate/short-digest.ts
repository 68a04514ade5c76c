/** First bytes of a message's digest: enough that two of those that are remembered are never alike by chance. */
export const shortDigestBytes = 8;

/** The first bytes of a digest in hexadecimal, as a string of as many characters: there are tens of thousands in memory. */
export function shortDigest(digest: string): string {
  return Buffer.from(digest.slice(0, 2 * shortDigestBytes), 'hex').toString('latin1');
}

/** A short digest in hexadecimal again. */
export function hexOf(short: string): string {
  return Buffer.from(short, 'latin1').toString('hex');
}
