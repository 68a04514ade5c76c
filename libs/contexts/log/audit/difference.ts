import type { Fault } from './fault.js';

/** How many messages after a difference are compared to find its kind. */
export const differenceWindow = 64;

/**
 * Compares a list of messages with its earlier state, from the first difference on. Digests are unique, so the first
 * one that appears in both lists shows how far the rest has moved.
 *
 * @param known the earlier digests, from the first difference on; may end early
 * @param found the present digests from there on; may end early
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

/** Describes the message at the difference. @param witness what holds the earlier digests: `The checkpoint at 17` */
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
      return `${witness} has another digest here, and nothing that follows shows whether a message was changed, removed or inserted.`;
    default:
      return kind satisfies never;
  }
}
