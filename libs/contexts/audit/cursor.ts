/**
 * A place between two events of the log: `17` is after all events of the commit at sequence 17, `17.0` is after the
 * first of them.
 */
export interface Cursor {
  readonly sequence: number;
  /** Index of the event within its commit, from 0; undefined: after the whole commit. */
  readonly index?: number;
}

/** @returns undefined for a text that is not a cursor */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const [, sequence, index] = match as unknown as [string, string, string | undefined];
  return { sequence: Number(sequence), ...(index === undefined ? {} : { index: Number(index) }) };
}

export function cursorText({ sequence, index }: Cursor): string {
  return index === undefined ? String(sequence) : `${sequence}.${index}`;
}

/** The first commit that may have events after the cursor. */
export function nextSequence({ sequence, index }: Cursor): number {
  return index === undefined ? sequence + 1 : sequence;
}

export function isBehind(cursor: Cursor, sequence: number, index: number): boolean {
  return sequence > cursor.sequence || (sequence === cursor.sequence && index > (cursor.index ?? Infinity));
}
