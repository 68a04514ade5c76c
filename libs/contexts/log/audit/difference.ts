import type { Fault } from './fault.js';

/** How many messages behind a difference are looked at to tell its kind. */
export const differenceWindow = 64;

/**
 * What became of a list of messages, from the first place at which it is not what it was. Digests are unique, so the
 * first one that is found again tells how far the rest has moved.
 *
 * @param known digests as they were, from that place on; `found` as they are now; either may end early
 */
export function judgeDifference(
  known: readonly string[],
  found: readonly string[],
): { kind: Fault['kind']; count: number } {
  if (found.length === 0) return { kind: 'removed', count: known.length };
  for (let count = 1; count < Math.max(known.length, found.length); count++) {
    const same = (at: number, now: number) => at < known.length && now < found.length && known[at] === found[now];
    if (same(count, count)) return { kind: 'changed', count };
    if (same(count, 0)) return { kind: 'removed', count };
    if (same(0, count)) return { kind: 'inserted', count };
  }
  return { kind: 'altered', count: 0 };
}

/** The same as a sentence about the message at `sequence`; `witness` is what knows how it was. */
export function describeDifference({ kind, count }: { kind: Fault['kind']; count: number }, witness: string): string {
  const messages = count === 1 ? 'one message' : `${count} messages`;
  switch (kind) {
    case 'changed':
      return `${witness} has another digest here, and the same again after ${messages}.`;
    case 'removed':
      return `${witness} has ${messages} here that the log does not hold; what followed has moved up.`;
    case 'inserted':
      return `${witness} does not know ${messages} here; what follows has moved down.`;
    case 'altered':
      return `${witness} has another digest here, and nothing that follows tells whether a message was changed, removed or slipped in.`;
    default:
      return kind satisfies never;
  }
}
