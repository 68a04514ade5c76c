import { compareUtf8 } from '../../names.js';
import { UfsError } from '../../types.js';
import type { ListCursor } from '../list-cursor.js';
import { requestDirectories, requestPage, type ListPosition, type ListQuery } from '../list-request.js';
import type { KeyPage } from '../list-xml.js';
import type { S3Client } from '../s3-client.js';
import type { AheadLimits } from './ahead-limits.js';
import { Foresight } from './foresight.js';
import { covers, isGap, joined, lastOf, newPiece, sizeOf, takePage, type Piece } from './piece.js';

/** A guess leads so far, as a part of a page, so that the pages before and behind it have keys in common. */
const fill = 0.85;
/** A bridge is shorter by this factor than a page. */
const bridgePart = 8;
/** Of a page that is asked for, until its size is known. */
const expectedEntryBytes = 400;
/** At most this many requests for each page's worth of keys, the walk's own included. */
const requestsPerPage = 2;
/** A walk that waits longer for its reader does not wait for the store: what is held is given up. */
const idleMs = 30_000;

/**
 * Reads pages of a listing before the walk asks for them, several at once.
 *
 * The pieces are pages in the order of their beginnings; the first is the page that the walk has. A guess is a page
 * behind a text that should come before the end of the page before it (`start-after`). Where it comes behind that end,
 * a bridge follows the token of the page before, over the gap. A page is given to the walk in two cases only: its own
 * token led to it, or it begins with the keys that the page before ends with, one at least.
 *
 * It ends by construction:
 * - Each piece is one request. A text is guessed only if it comes behind all guesses before, and a token is followed
 *   once: what was asked for and dropped is not asked for again.
 * - `next` gives a page, drops a piece, or waits for a request. With nothing left it leaves the page to the walk.
 * - All requests, the walk's own included, are at most `requestsPerPage` for each page's worth of keys that the walk has
 *   got, and twice the window.
 * - The first doubt ends it for this walk: pages that do not agree, an answer of another form, a key out of place, an
 *   error that a retry does not help. Then the walk asks by itself, and meets the error there. Refusals and timeouts
 *   drop their piece only, and halve the requests of the mount.
 */
export class ReadAhead {
  private pieces: Piece[] = [];
  private readonly foresight: Foresight;
  /** Doubles as long as the walk waits for pages. */
  private window = 1;
  /** As many keys as the store puts on a page. */
  private pageKeys = 0;
  private requests = 0;
  private keysGiven = 0;
  /** No guess comes before this text. */
  private guessedUpTo = '';
  /** A page at the end of the listing has been seen. */
  private hasEnd = false;
  private isOff = false;
  private directories: AbortController | undefined;
  private knowsDirectories = true;
  private idle: NodeJS.Timeout | undefined;
  /** Of the walk: when it ends, nothing is read for it any more. */
  private signal: AbortSignal | undefined;
  private readonly onAbort = (): void => this.close();

  constructor(
    private readonly client: Pick<S3Client, 'exchange'>,
    private readonly query: Omit<ListQuery, 'signal'>,
    private readonly limits: AheadLimits,
  ) {
    this.foresight = new Foresight(query.prefix);
  }

  /** Whether this reads the pages that the query asks for. */
  suits({ prefix, limit }: ListQuery): boolean {
    return prefix === this.query.prefix && limit === this.query.limit;
  }

  /** The page after the cursor; undefined where the walk must ask for it, and then tell `saw`. */
  async next(cursor: ListCursor, signal?: AbortSignal): Promise<KeyPage | undefined> {
    this.follow(signal);
    for (;;) {
      this.ask();
      const [base, piece] = this.pieces;
      if (base === undefined || lastOf(base) !== cursor.after || base.page?.token !== cursor.token) return undefined;
      if (piece === undefined || isGap(base, piece)) {
        // The walk follows this token itself.
        base.isFollowed = true;
        this.grow();
        return undefined;
      }
      if (piece.page === undefined) {
        this.grow();
        this.ask();
        await piece.settled;
        continue;
      }
      const page = joined(base, piece);
      if (page === undefined) return void this.close();
      this.begin(piece);
      this.keysGiven += page.entries.length;
      this.ask();
      return page;
    }
  }

  /** The walk has asked for this page by itself, behind the key `after`. */
  saw(page: KeyPage, after = ''): void {
    if (this.isOff) return;
    this.requests++;
    this.keysGiven += page.entries.length;
    const piece = newPiece(after);
    // At its end, a walk needs nothing more.
    if (!this.take(piece, page) || page.isTruncated === false) return this.close();
    this.pageKeys = Math.max(this.pageKeys, page.entries.length);
    this.begin(piece);
    this.ask();
  }

  close(): void {
    this.isOff = true;
    clearTimeout(this.idle);
    this.signal?.removeEventListener('abort', this.onAbort);
    this.directories?.abort();
    for (const piece of this.pieces.splice(0)) this.release(piece);
  }

  private follow(signal: AbortSignal | undefined): void {
    if (signal === this.signal || this.isOff) return;
    this.signal?.removeEventListener('abort', this.onAbort);
    this.signal = signal;
    if (signal?.aborted) this.close();
    else signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  /** The walk has this page now. Those before it are not needed any more. */
  private begin(piece: Piece): void {
    const behind = this.pieces.filter((one) => one !== piece && compareUtf8(one.from, piece.from) > 0);
    for (const one of this.pieces) if (!behind.includes(one)) this.release(one);
    this.release(piece);
    this.pieces = [piece, ...behind];
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.close(), idleMs).unref();
  }

  private grow(): void {
    this.window = Math.min(this.limits.maxPages, this.window * 2);
  }

  /** Asks for what may be asked for now: first over the gaps, then behind the last page. */
  private ask(): void {
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      while (this.pieces.length > i + 1 && covers(piece, this.pieces[i + 1])) this.drop(this.pieces[i + 1]);
      const next = this.pieces.at(i + 1);
      const token = piece.page?.token;
      const isNeeded = next === undefined || isGap(piece, next);
      if (token === undefined || piece.isFollowed || !isNeeded) continue;
      // A bridge that did not reach far enough is followed by whole pages.
      const isBridge = next !== undefined && piece.token === undefined;
      const limit = isBridge ? Math.ceil(this.query.limit / bridgePart) : this.query.limit;
      if (!this.hasRoom(limit, 2 * this.window)) return;
      piece.isFollowed = true;
      this.request(newPiece(lastOf(piece)!, token), i + 1, limit, { token });
    }
    if (this.pieces.length > 0 && this.window > 1) this.askForDirectories();
    while (this.pieces.length > 0 && !this.hasEnd && this.hasRoom(this.query.limit, this.window)) {
      const text = this.guess();
      if (text === undefined) return;
      this.guessedUpTo = text;
      this.request(newPiece(text), this.pieces.length, this.query.limit, { startAfter: text });
    }
  }

  /** Where the page behind the last piece may begin; undefined where nothing tells. */
  private guess(): string | undefined {
    const lesson = this.pieces.findLast((piece) => piece.lesson !== undefined)?.lesson;
    const piece = this.pieces.at(-1);
    if (piece === undefined || lesson === undefined || this.pageKeys < 2) return undefined;
    const reached = lastOf(piece) ?? piece.from;
    const from = compareUtf8(reached, this.guessedUpTo) > 0 ? reached : this.guessedUpTo;
    return this.foresight.after(from, Math.max(1, Math.floor(this.pageKeys * fill)), lesson);
  }

  private hasRoom(names: number, pages: number): boolean {
    if (this.isOff || this.pieces.length > pages || !this.hasRequestLeft()) return false;
    return this.limits.allows({ names, bytes: names * expectedEntryBytes });
  }

  private hasRequestLeft(): boolean {
    return this.requests < (requestsPerPage * this.keysGiven) / this.pageKeys + 2 * this.limits.maxPages;
  }

  private request(piece: Piece, at: number, limit: number, position: ListPosition): void {
    const { signal } = (piece.abort = new AbortController());
    this.pieces.splice(at, 0, piece);
    this.hold(piece, { names: limit, bytes: limit * expectedEntryBytes });
    this.requests++;
    this.limits.began();
    piece.settled = requestPage(this.client, { ...this.query, limit, signal }, position)
      .then(
        (page) => signal.aborted || this.answered(piece, page),
        (error: unknown) => signal.aborted || this.failed(piece, error),
      )
      .finally(() => {
        this.limits.ended();
        this.ask();
      })
      .then(() => undefined);
  }

  private answered(piece: Piece, page: KeyPage): void {
    this.limits.answered();
    if (!this.take(piece, page)) return this.close();
    this.hold(piece, sizeOf(piece));
    this.hasEnd ||= page.isTruncated === false;
    const isGuess = piece.token === undefined;
    // Only a page that a token led to says that the listing ends.
    if (isGuess && page.isTruncated === false) this.drop(piece);
    else if (isGuess) this.foresight.sawGap(piece.from, piece.keys[0]);
  }

  private failed(piece: Piece, error: unknown): void {
    if (!(error instanceof UfsError) || !error.retryable) return this.close();
    this.limits.refused(error.retryAfterMs);
    this.drop(piece);
  }

  private take(piece: Piece, page: KeyPage): boolean {
    if (!takePage(piece, page, this.query.prefix)) return false;
    const { from, keys } = piece;
    if (keys.length > 1)
      piece.lesson = this.foresight.learn(from === '' || piece.token === undefined ? keys : [from, ...keys]);
    return true;
  }

  private drop(piece: Piece): void {
    this.pieces = this.pieces.filter((one) => one !== piece);
    this.release(piece);
  }

  private release(piece: Piece): void {
    if (piece.page === undefined) piece.abort?.abort();
    this.hold(piece, { names: 0, bytes: 0 });
  }

  private hold(piece: Piece, share: Piece['share']): void {
    this.limits.hold(share, piece.share);
    piece.share = share;
  }

  /** Names of the directories that come next, so that a guess can lead into them. They only help to guess. */
  private askForDirectories(): void {
    const piece = this.pieces.at(-1)!;
    const missing = this.foresight.missing(lastOf(piece) ?? piece.from);
    if (missing === undefined || this.directories !== undefined || !this.knowsDirectories) return;
    if (!this.hasRequestLeft() || !this.limits.allows({ names: 0, bytes: 0 })) return;
    const { signal } = (this.directories = new AbortController());
    const { parent, after } = missing;
    this.requests++;
    this.limits.began();
    void requestDirectories(this.client, { ...this.query, prefix: parent, limit: 1000, signal }, after)
      .then(
        ({ names, isWhole }) => this.foresight.addDirectories(missing, names, isWhole),
        () => void (this.knowsDirectories = false),
      )
      .finally(() => {
        this.directories = undefined;
        this.limits.ended();
        this.ask();
      });
  }
}
