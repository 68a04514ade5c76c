import { compareUtf8 } from '../../names.js';
import type { KeyPage } from '../list-xml.js';
import type { Lesson } from './foresight.js';

/**
 * A page of the listing that is or may be read ahead.
 *
 * `probing`: a key near a guessed place is asked for, with `start-after`. `found`: the key is known, and the token of
 * the store that leads on from it. `asked`, `ready`: the page behind that key, asked for by the token alone.
 */
export interface Piece {
  state: 'probing' | 'found' | 'asked' | 'ready';
  /** The page begins behind this key; while `probing`, the key is behind this guess. */
  key: string;
  token?: string;
  /** The guess that the key was found behind: nothing lies between the two. */
  floor?: string;
  /** It follows the page before without a gap, by that page's token. */
  isLinked: boolean;
  page?: KeyPage;
  /** Of the page; undefined where one of them cannot be read. */
  keys?: string[];
  lesson?: Lesson;
  /** What it counts against the limits. */
  heldNames: number;
  heldBytes: number;
  abort?: AbortController;
  /** When its request has ended, however. */
  settled?: Promise<void>;
  failures: number;
  notBeforeMs: number;
  /** The gap up to this piece needs no further guess. */
  checkedUpTo?: Piece;
}

export function newPiece(state: Piece['state'], key: string, token?: string): Piece {
  const isLinked = state !== 'probing';
  return { state, key, token, isLinked, heldNames: 0, heldBytes: 0, failures: 0, notBeforeMs: -Infinity };
}

/** The key that a page ends with; undefined where it is not known. */
export function lastOf({ state, keys }: Piece): string | undefined {
  return state === 'ready' ? keys?.at(-1) : undefined;
}

/** Nothing is listed from here up to the piece's key. */
export function floorOf({ floor, key }: Piece): string {
  return floor ?? key;
}

/** A page after which the listing has ended. */
export function isEnd({ state, page }: Piece): boolean {
  return state === 'ready' && page?.isTruncated === false;
}

/** Whether the pages meet: every key between them is on one of the two. Undefined while it is unknown. */
function meets(before: Piece, piece: Piece): boolean | undefined {
  const last = lastOf(before);
  if (last === undefined) return undefined;
  const order = compareUtf8(piece.key, last);
  // The key that a probe finds is greater than its guess.
  if (piece.state === 'probing') return order < 0 ? undefined : false;
  return order <= 0;
}

/**
 * Brings the pieces after a page in order, once more is known of them: closes gaps by links, and drops what is on other
 * pages already.
 * @param pieces the first is the page that was delivered last
 * @returns what was dropped, and how many gaps were found
 */
export function settle(pieces: Piece[]): { dropped: Piece[]; gaps: number } {
  const dropped: Piece[] = [];
  let gaps = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    if (isEnd(piece)) dropped.push(...pieces.splice(i + 1));
    const last = lastOf(piece);
    const token = piece.page?.token;
    if (last === undefined || token === undefined) continue;
    // Of several pieces that begin on this page, the last one leads furthest.
    while (i + 2 < pieces.length && meets(piece, pieces[i + 2]) === true && isSpare(pieces[i + 1], pieces[i + 2])) {
      dropped.push(...pieces.splice(i + 1, 1));
    }
    const next = pieces.at(i + 1);
    if (next === undefined || meets(piece, next) === false) {
      pieces.splice(i + 1, 0, newPiece('found', last, token));
      if (next !== undefined) gaps++;
    } else if (next.state === 'found' && !(next.isLinked && next.key === last)) {
      // It was not asked for yet: the link has no key twice.
      dropped.push(...pieces.splice(i + 1, 1, newPiece('found', last, token)));
    } else if (isCovered(piece, next)) {
      dropped.push(...pieces.splice(i + 1, 1));
      i--;
    }
  }
  return { dropped, gaps };
}

/** Whether a piece may give way to the one after it: what was asked for is worth more than what was not. */
function isSpare({ state }: Piece, after: Piece): boolean {
  if (state === 'asked') return after.state === 'asked' || after.state === 'ready';
  return state !== 'ready';
}

function isCovered(piece: Piece, next: Piece): boolean {
  const [last, nextLast] = [lastOf(piece), lastOf(next)];
  // The walk must see what a link leads to, also out of order.
  if (next.isLinked && next.key === last) return false;
  return last !== undefined && nextLast !== undefined && !isEnd(next) && compareUtf8(nextLast, last) <= 0;
}

/** A probe has found its key: the pieces are in the order of their keys again. @returns what was dropped */
export function place(pieces: Piece[], piece: Piece): Piece[] {
  const dropped: Piece[] = [];
  const at = pieces.indexOf(piece);
  const before = pieces[at - 1];
  if (before.state !== 'probing' && compareUtf8(before.key, piece.key) >= 0) return pieces.splice(at, 1);
  for (let next = pieces.at(at + 1); next !== undefined; next = pieces.at(at + 1)) {
    if (compareUtf8(next.key, piece.key) > 0) break;
    // Both find the same key, or have found it.
    if (next.state === 'asked' || next.state === 'ready') {
      if (next.key === piece.key && next.floor !== undefined) next.floor = piece.floor;
      return [...dropped, ...pieces.splice(at, 1)];
    }
    dropped.push(...pieces.splice(at + 1, 1));
  }
  return dropped;
}

/**
 * The page without the keys that the page before it has too. Undefined where the two do not fit together: then the
 * listing changed between the requests, or the store does not keep its order.
 */
export function joined(before: Piece, piece: Piece): KeyPage | undefined {
  const { page } = piece;
  if (page === undefined) return undefined;
  if (piece.isLinked && piece.key === lastOf(before)) return page;
  const { keys } = piece;
  const at = before.keys?.lastIndexOf(piece.key) ?? -1;
  if (keys === undefined || at < 0) return undefined;
  const shared = before.keys!.slice(at + 1);
  if (keys.length < shared.length || shared.some((key, i) => key !== keys[i])) return undefined;
  return { ...page, entries: page.entries.slice(shared.length) };
}
