import { messageDigest } from '#jetstream';
import { describeDifference, differenceWindow, judgeDifference } from './difference.js';
import { faultAt, type Fault } from './fault.js';
import type { StoredMessage } from './verify-log.js';

export interface Comparison {
  /** How many messages both have with the same content. */
  readonly same: number;
  readonly fault?: Fault;
}

/**
 * Compares a log with a copy kept elsewhere, such as a backup. Each message of the copy must be in the log at the same
 * sequence with the same content. The log may begin later (when it was archived) and go further.
 */
export async function compareLogs(
  kept: AsyncIterable<StoredMessage>,
  log: AsyncIterable<StoredMessage>,
  witness: string,
): Promise<Comparison> {
  const [known, found] = [kept[Symbol.asyncIterator](), log[Symbol.asyncIterator]()];
  try {
    return await walk(known, found, witness);
  } finally {
    await known.return?.();
    await found.return?.();
  }
}

async function walk(
  known: AsyncIterator<StoredMessage>,
  found: AsyncIterator<StoredMessage>,
  witness: string,
): Promise<Comparison> {
  let same = 0;
  let [mine, theirs] = [await next(known), await next(found)];
  // Either may have been archived: compare only the sequences that both have.
  while (mine && theirs && mine.sequence < theirs.sequence) mine = await next(known);
  while (mine && theirs && theirs.sequence < mine.sequence) theirs = await next(found);
  for (;;) {
    if (!mine) return { same };
    if (!theirs) {
      return { same, fault: faultAt('removed', mine.sequence, `${witness} goes on here, and the log ends before.`) };
    }
    if (mine.sequence !== theirs.sequence) {
      const at = Math.min(mine.sequence, theirs.sequence);
      return { same, fault: faultAt('removed', at, `The log has no message here, and ${witness} has one.`) };
    }
    if (digestOf(mine) !== digestOf(theirs)) {
      const [was, is] = [await digestsFrom(mine, known), await digestsFrom(theirs, found)];
      const judged = judgeDifference(was, is);
      return { same, fault: faultAt(judged.kind, mine.sequence, describeDifference(judged, witness)) };
    }
    same++;
    [mine, theirs] = [await next(known), await next(found)];
  }
}

async function next(messages: AsyncIterator<StoredMessage>): Promise<StoredMessage | undefined> {
  const result = await messages.next();
  return result.done ? undefined : result.value;
}

const digestOf = ({ boundary, data }: StoredMessage): string => messageDigest(boundary, data);

async function digestsFrom(first: StoredMessage, rest: AsyncIterator<StoredMessage>): Promise<string[]> {
  const digests = [digestOf(first)];
  while (digests.length < differenceWindow) {
    const message = await next(rest);
    if (!message) break;
    digests.push(digestOf(message));
  }
  return digests;
}
