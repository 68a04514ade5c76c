import { compareUtf8 } from '../../names.js';
import type { KeyPage } from '../list-xml.js';
import type { AheadLimits } from './ahead-limits.js';
import type { Lesson } from './foresight.js';
import { lastOf, settle, type Piece } from './pieces.js';

/** Besides a key's text: objects, ETag, time. */
const bytesOfAnEntry = 200;

/** The pieces of one walk in their order, and what they count against the limits. */
export class HeldPieces {
  /** The first one is the page that the walk has got last. */
  list: Piece[] = [];
  private heldNames = 0;

  constructor(private readonly limits: AheadLimits) {}

  get base(): Piece | undefined {
    return this.list.at(0);
  }

  /** Keys that are guessed or found, and whose pages are not asked for yet. */
  get waiting(): number {
    return this.list.filter(({ state, isLinked }) => state === 'probing' || (state === 'found' && !isLinked)).length;
  }

  /** The walk has got this page. */
  begin(piece: Piece): void {
    const isBehind = (one: Piece): boolean => {
      const order = compareUtf8(one.key, piece.key);
      return order > 0 || (order === 0 && one.state === 'probing');
    };
    const behind = this.list.filter((one) => one !== piece && isBehind(one));
    this.discard(this.list.filter((one) => one !== piece && !behind.includes(one)));
    this.list = [piece, ...behind];
    this.hold(piece, 0, 0);
  }

  /** @returns how many gaps were found */
  settle(): number {
    const { dropped, gaps } = settle(this.list);
    this.discard(dropped);
    return gaps;
  }

  /** The piece that goes on behind the walk's page: one that is here, else the one under way that leads furthest. */
  candidate(isLinkedOnly: boolean): Piece | undefined {
    const [base, ...others] = this.list;
    const last = lastOf(base)!;
    let found: Piece | undefined;
    for (const piece of others) {
      if (piece.state === 'probing') continue;
      if (compareUtf8(piece.key, last) > 0) break;
      if (piece.state === 'found' || (isLinkedOnly && !this.isLink(piece))) continue;
      if (found?.state !== 'ready' || piece.state === 'ready') found = piece;
    }
    return found;
  }

  /** Whether the piece is what a walk of one page after another asks for next. */
  isLink(piece: Piece): boolean {
    const base = this.list[0];
    return piece.isLinked && piece.key === lastOf(base) && piece.token === base.page?.token;
  }

  drop(piece: Piece): void {
    this.list = this.list.filter((one) => one !== piece);
    this.discard([piece]);
  }

  dropAll(): void {
    this.discard(this.list);
    this.list = [];
  }

  /** Ends the requests of pieces that are in the list no more. */
  discard(dropped: readonly Piece[]): void {
    for (const piece of dropped) {
      this.hold(piece, 0, 0);
      piece.abort?.abort();
    }
  }

  hasRoom(names: number, pagesAhead: number, limit: number): boolean {
    return this.heldNames + names <= pagesAhead * limit && this.limits.allows(names);
  }

  /** Gives up the pieces that are furthest from the walk for one that is nearer. */
  makeRoom(piece: Piece, hasRoom: () => boolean): void {
    const at = this.list.indexOf(piece);
    for (let i = this.list.length - 1; i > at && !hasRoom(); i--) {
      const far = this.list[i];
      if (far.heldNames === 0) continue;
      this.discard([far]);
      Object.assign(far, { state: 'found', page: undefined, keys: undefined, abort: undefined });
    }
  }

  /** Counts what a piece holds or has asked for. */
  hold(piece: Piece, names: number, bytes: number): void {
    this.limits.hold(names - piece.heldNames, bytes - piece.heldBytes);
    this.heldNames += names - piece.heldNames;
    piece.heldNames = names;
    piece.heldBytes = bytes;
  }

  read(piece: Piece, page: KeyPage, learn: (keys: readonly string[]) => Lesson): void {
    const keys = page.entries.flatMap(({ key }) => key ?? []);
    piece.state = 'ready';
    piece.page = page;
    const isOrdered = keys.every((key, i) => compareUtf8(keys[i - 1] ?? piece.key, key) < 0);
    if (keys.length === page.entries.length && isOrdered) piece.keys = keys;
    if (piece.keys !== undefined && keys.length > 1)
      piece.lesson = learn(piece.key === '' ? keys : [piece.key, ...keys]);
    const bytes = keys.reduce((sum, key) => sum + 2 * key.length + bytesOfAnEntry, 0);
    this.hold(piece, page.entries.length, bytes);
  }
}
