import { compareUtf8 } from '../../names.js';
import type { DirectoryQuery } from './directories.js';
import { Foresight, type Lesson } from './foresight.js';
import { floorOf, isEnd, lastOf, type Piece } from './pieces.js';

/** A guess leads so far, as a part of a page: guesses are not exact, and a gap between two pages costs time. */
const firstFill = 0.85;
const leastFill = 0.6;
const bestFill = 0.95;

/** Where a guess would be of use: at this place in the list of pieces. */
export interface Guess {
  at: number;
  text: string;
}

/** Decides which keys to look for next. */
export class Guesses {
  readonly foresight: Foresight;
  /** As many keys as the store puts on a page. */
  private pageKeys = 0;
  private fill = firstFill;
  /** Nothing is listed behind this. */
  private end: string | undefined;

  constructor(prefix: string) {
    this.foresight = new Foresight(prefix);
  }

  /** A page that the listing goes on behind. */
  sawFullPage(keys: number): void {
    this.pageKeys = Math.max(this.pageKeys, keys);
  }

  sawGaps(count: number): void {
    this.fill = Math.max(leastFill, this.fill * 0.97 ** count);
  }

  sawMeeting(): void {
    this.fill = Math.min(bestFill, this.fill + 0.003);
  }

  sawNothingBehind(guess: string): void {
    if (this.end === undefined || compareUtf8(guess, this.end) < 0) this.end = guess;
  }

  /**
   * The next guess: where the gap between two pieces has turned out long, else behind the last one.
   * @param keysByToken so many keys from the first piece on count only if they come by tokens
   */
  next(pieces: readonly Piece[], keysByToken: number): Guess | undefined {
    if (this.pageKeys < 2) return undefined;
    let { lesson } = pieces[0];
    const isFirst = keysByToken > 0 && !pieces.some(({ isLinked }, i) => i > 0 && !isLinked);
    for (const [i, piece] of pieces.entries()) {
      lesson = piece.lesson ?? lesson;
      if (isEnd(piece) || lesson === undefined) return undefined;
      const next = pieces.at(i + 1);
      const from = lastOf(piece) ?? piece.key;
      if (next === undefined || isLooseLink(pieces, i + 1)) {
        const text = this.behind(from, isFirst ? keysByToken : 0, lesson);
        return text === undefined ? undefined : { at: pieces.length, text };
      }
      if (keysByToken > 0 || piece.checkedUpTo === next) continue;
      const text = this.between(from, floorOf(next), lesson);
      if (text !== undefined) return { at: i + 1, text };
      piece.checkedUpTo = next;
    }
    return undefined;
  }

  /** The directories that should be known to guess behind the last piece. */
  missing(pieces: readonly Piece[]): DirectoryQuery | undefined {
    const last = pieces.at(-1);
    return last === undefined || isEnd(last) ? undefined : this.foresight.missing(lastOf(last) ?? last.key);
  }

  /** How many names to ask for, to close the gap up to the next piece. */
  gap(piece: Piece, next: Piece | undefined, lesson: Lesson | undefined): number {
    if (!piece.isLinked || next === undefined || next.state === 'probing' || lesson === undefined) return Infinity;
    const count = this.foresight.count(piece.key, next.key, lesson);
    return count === undefined ? Infinity : Math.ceil(1.5 * Math.max(0, count)) + 16;
  }

  private behind(from: string, more: number, lesson: Lesson): string | undefined {
    const step = Math.max(1, Math.floor(this.pageKeys * this.fill));
    const text = this.foresight.after(from, step + more, this.pageKeys, lesson);
    const isPastEnd = text !== undefined && this.end !== undefined && compareUtf8(text, this.end) >= 0;
    return isPastEnd ? undefined : text;
  }

  private between(from: string, end: string, lesson: Lesson): string | undefined {
    const far = this.foresight.after(from, Math.ceil(1.5 * this.pageKeys), this.pageKeys, lesson);
    if (far === undefined || compareUtf8(far, end) >= 0) return undefined;
    return this.behind(from, 0, lesson);
  }
}

/** The link that follows the last page. Guesses go beyond it. */
function isLooseLink(pieces: readonly Piece[], at: number): boolean {
  const piece = pieces[at];
  return at === pieces.length - 1 && piece.isLinked && piece.state === 'found';
}
