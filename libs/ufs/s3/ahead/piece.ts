import { compareUtf8 } from '../../names.js';
import type { KeyPage } from '../list-xml.js';
import type { Share } from './ahead-limits.js';
import type { Lesson } from './foresight.js';

/** Besides a key's text: an object with its version. */
const bytesOfAnEntry = 200;

/** A page of the listing that was asked for ahead, or that the walk has. Exactly one request belongs to it. */
export interface Piece {
  /** The page begins behind this text: a guess, or the last key of another page. */
  from: string;
  /** The token of the other page; absent for a guess. */
  token?: string;
  /** Absent until it has come. */
  page?: KeyPage;
  /** Of the page, one for each entry. */
  keys: string[];
  lesson?: Lesson;
  /** The page that its token leads to has been asked for. It is never asked for twice. */
  isFollowed: boolean;
  share: Share;
  abort?: AbortController;
  settled?: Promise<void>;
}

export function newPiece(from: string, token?: string): Piece {
  return { from, token, keys: [], isFollowed: false, share: { names: 0, bytes: 0 } };
}

/** The key that a page ends with; undefined until it has come, and where it has no key. */
export function lastOf({ keys }: Piece): string | undefined {
  return keys.at(-1);
}

/**
 * Notes the answer.
 * @returns false for an answer that gives reason for doubt: it is not of the usual form, or not in order
 */
export function takePage(piece: Piece, page: KeyPage, prefix: string): boolean {
  const { isTruncated, token, isV1, entries } = page;
  const keys = entries.flatMap(({ key }) => key ?? []);
  if (isTruncated === undefined || keys.length !== entries.length) return false;
  if (isTruncated ? isV1 || token === undefined || keys.length === 0 : token !== undefined) return false;
  let before = piece.from;
  for (const key of keys) {
    if (!key.startsWith(prefix) || (before !== '' && compareUtf8(before, key) >= 0)) return false;
    before = key;
  }
  piece.page = page;
  piece.keys = keys;
  return true;
}

export function sizeOf({ keys }: Piece): Share {
  return { names: keys.length, bytes: keys.reduce((sum, key) => sum + 2 * key.length + bytesOfAnEntry, 0) };
}

/** Whether there may be keys between two pages, so that the second does not tell what follows the first. */
export function isGap(before: Piece, { from, token }: Piece): boolean {
  const last = lastOf(before);
  if (last === undefined) return false;
  return compareUtf8(from, last) >= 0 && !(from === last && token === before.page?.token);
}

/** Whether the first page has every key of the second. */
export function covers(before: Piece, piece: Piece): boolean {
  const [last, other] = [lastOf(before), lastOf(piece)];
  return last !== undefined && other !== undefined && compareUtf8(other, last) <= 0;
}

/**
 * What a page that has come tells of the keys behind another; there is no gap between the two, and the first does not
 * cover the second.
 * @returns undefined where they do not agree on the keys that both must have
 */
export function joined(before: Piece, piece: Piece): KeyPage | undefined {
  const { page, keys, from } = piece;
  if (page === undefined || from === lastOf(before)) return page;
  let at = before.keys.length;
  while (at > 0 && compareUtf8(before.keys[at - 1], from) > 0) at--;
  const shared = before.keys.slice(at);
  if (keys.length <= shared.length || shared.some((key, i) => key !== keys[i])) return undefined;
  return { ...page, entries: page.entries.slice(shared.length) };
}
