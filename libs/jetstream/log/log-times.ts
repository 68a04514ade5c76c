import { type EventStore } from './event-store.js';

/**
 * The last sequence of a log whose time is at or before `timeMs`, 0 if there is none. A binary search: some twenty
 * questions for a million messages. The server's clock may have been set back. Where times go down, the answer is a
 * place where the log crossed that time, and always the same one for the same log.
 *
 * @param timeOf the time of the first message at or behind a sequence; undefined behind the end
 */
export async function lastAtOrBefore(
  timeMs: number,
  first: number,
  last: number,
  timeOf: (sequence: number) => Promise<number | undefined>,
): Promise<number> {
  let before = first - 1;
  let behind = last + 1;
  while (before + 1 < behind) {
    const middle = Math.floor((before + behind) / 2);
    const at = await timeOf(middle);
    if (at !== undefined && at <= timeMs) before = middle;
    else behind = middle;
  }
  return before < first ? 0 : before;
}

/** The last sequence that the log stored at or before a time, in milliseconds since the epoch; 0 for none. */
export async function sequenceAt(store: Pick<EventStore, 'info' | 'recordedAt'>, timeMs: number): Promise<number> {
  const { firstSequence, lastSequence } = await store.info();
  return lastAtOrBefore(timeMs, firstSequence, lastSequence, (sequence) => store.recordedAt(sequence));
}
