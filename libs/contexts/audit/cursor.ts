/**
 * A place between two events of the log: `17` is behind everything of the commit at sequence 17, `17.0` behind the first
 * of its events.
 */
export interface Cursor {
  readonly sequence: number;
  /** Of the event within its commit, from 0; undefined: behind the whole commit. */
  readonly index?: number;
}

/** Undefined for what is none. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const [, sequence, index] = match as unknown as [string, string, string | undefined];
  return { sequence: Number(sequence), ...(index === undefined ? {} : { index: Number(index) }) };
}

export function cursorText({ sequence, index }: Cursor): string {
  return index === undefined ? String(sequence) : `${sequence}.${index}`;
}

/** The first commit that has something behind the cursor. */
export function nextSequence({ sequence, index }: Cursor): number {
  return index === undefined ? sequence + 1 : sequence;
}

export function isBehind(cursor: Cursor, sequence: number, index: number): boolean {
  return sequence > cursor.sequence || (sequence === cursor.sequence && index > (cursor.index ?? Infinity));
}
