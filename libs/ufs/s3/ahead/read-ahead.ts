import { compareUtf8 } from '../../names.js';
import { UfsError } from '../../types.js';
import type { ListCursor } from '../list-cursor.js';
import { requestDirectories, requestPage, type ListQuery } from '../list-request.js';
import type { KeyPage } from '../list-xml.js';
import type { S3Client } from '../s3-client.js';
import type { AheadLimits } from './ahead-limits.js';
import { Guesses } from './guesses.js';
import { HeldPieces } from './held-pieces.js';
import { joined, lastOf, newPiece, place, type Piece } from './pieces.js';

/** Pages that did not fit together, after which it is the store and no change of its objects. */
const tolerableMisfits = 3;
const triesOfAPiece = 3;
const pauseMs = 100;

/**
 * Reads pages of a listing before the walk asks for them, several at once. The walk gets what it would get by itself: every
 * page comes by a token of the store, as in a walk of one page after another. Only where to begin is guessed: a request
 * with `start-after` finds the next key behind a guess, and the token behind that key. A page is given to the walk if the
 * one before it has that key, and if both agree on what follows.
 *
 * Whatever is in doubt is dropped. The walk then asks by itself, at the same place, and meets errors and false answers
 * there.
 */
export class ReadAhead {
  private readonly pieces: HeldPieces;
  private readonly guesses: Guesses;
  /** Doubles as long as the walk waits for pages. */
  private pagesAhead = 1;
  private misfits = 0;
  private isOff = false;
  private isWalkAsking = false;
  private directories: AbortController | undefined;
  private knowsDelimiters = true;
  private timer: NodeJS.Timeout | undefined;
  private keysByToken = 0;
  /** Of the walk: when it ends, nothing is read for it any more. */
  private signal: AbortSignal | undefined;
  private readonly onAbort = (): void => this.close();

  constructor(
    private readonly client: Pick<S3Client, 'exchange'>,
    private readonly query: Omit<ListQuery, 'signal'>,
    private readonly limits: AheadLimits,
  ) {
    this.pieces = new HeldPieces(limits);
    this.guesses = new Guesses(query.prefix);
  }

  /** Whether this reads the pages that the query asks for. */
  suits({ prefix, limit }: ListQuery): boolean {
    return !this.isOff && prefix === this.query.prefix && limit === this.query.limit;
  }

  /**
   * The page after the cursor; undefined where the walk must ask for it, and then tell `saw`.
   * @param keysByToken so many more keys must come by the tokens of the pages before them
   */
  async next(cursor: ListCursor, keysByToken: number, signal?: AbortSignal): Promise<KeyPage | undefined> {
    this.follow(signal);
    const { base } = this.pieces;
    if (base === undefined || lastOf(base) !== cursor.after || base.page?.token !== cursor.token) return undefined;
    this.keysByToken = keysByToken;
    this.isWalkAsking = false;
    for (;;) {
      this.goOn();
      const piece = this.isOff ? undefined : this.pieces.candidate(keysByToken > 0);
      if (piece === undefined || signal?.aborted) break;
      if (piece.state === 'asked') {
        await this.waitFor(piece, signal);
        continue;
      }
      const page = joined(base, piece);
      const isNew = page?.isTruncated === false || (page?.entries.length ?? 0) > 0;
      // The walk counts pages without a key.
      if (page !== undefined && (isNew || this.pieces.isLink(piece))) return this.give(piece, page);
      this.pieces.drop(piece);
      if (page === undefined && ++this.misfits > tolerableMisfits) this.close();
    }
    this.grow();
    this.isWalkAsking = true;
    return undefined;
  }

  /** The walk has asked for this page by itself, behind the key `after`. */
  saw(page: KeyPage, after = ''): void {
    this.limits.succeeded();
    this.isWalkAsking = false;
    if (this.isOff) return;
    const piece = newPiece('ready', after);
    this.read(piece, page);
    const isUsable = !page.isV1 && page.token !== undefined && page.isTruncated === true && lastOf(piece) !== undefined;
    if (isUsable) this.pieces.begin(piece);
    else this.pieces.dropAll();
    this.pieces.hold(piece, 0, 0);
  }

  close(): void {
    this.isOff = true;
    clearTimeout(this.timer);
    this.follow(undefined);
    this.directories?.abort();
    this.pieces.dropAll();
  }

  private follow(signal: AbortSignal | undefined): void {
    if (signal === this.signal) return;
    this.signal?.removeEventListener('abort', this.onAbort);
    this.signal = signal;
    if (!this.isOff) signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  private give(piece: Piece, page: KeyPage): KeyPage {
    this.pieces.begin(piece);
    this.guesses.sawMeeting();
    this.goOn();
    return page;
  }

  private async waitFor(piece: Piece, signal: AbortSignal | undefined): Promise<void> {
    this.grow();
    this.goOn();
    let stop: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    signal?.addEventListener('abort', stop!, { once: true });
    await Promise.race([piece.settled, stopped]);
    signal?.removeEventListener('abort', stop!);
  }

  private grow(): void {
    this.pagesAhead = Math.min(this.limits.maxPages, this.pagesAhead * 2);
  }

  /** Asks for what may be asked for now. */
  private goOn(): void {
    if (this.isOff || this.pieces.base === undefined) return;
    this.guesses.sawGaps(this.pieces.settle());
    this.askForPages();
    this.askForKeys();
  }

  private askForPages(): void {
    const nowMs = performance.now();
    const { list } = this.pieces;
    for (const [i, piece] of list.entries()) {
      if (i === 0 || piece.state !== 'found' || (this.isWalkAsking && this.pieces.isLink(piece))) continue;
      if (piece.notBeforeMs > nowMs) {
        this.goOnLater(piece.notBeforeMs - nowMs);
        continue;
      }
      const limit = Math.min(this.query.limit, this.guesses.gap(piece, list.at(i + 1), list[i - 1].lesson));
      const hasRoom = (): boolean => this.pieces.hasRoom(limit, this.pagesAhead, this.query.limit);
      if (!hasRoom()) this.pieces.makeRoom(piece, hasRoom);
      if (!hasRoom()) return;
      this.pieces.hold(piece, limit, 0);
      piece.state = 'asked';
      this.run(piece, { limit }, { token: piece.token }, (page) => {
        const isOdd = page.isV1 || page.isTruncated === undefined || (page.isTruncated && page.token === undefined);
        if (isOdd) return false;
        this.read(piece, page);
        return piece.keys !== undefined || piece.isLinked;
      });
    }
  }

  private askForKeys(): void {
    const missing = this.guesses.missing(this.pieces.list);
    if (missing !== undefined && this.pagesAhead > 1) this.askForDirectories(missing);
    while (this.pieces.waiting < this.pagesAhead && this.limits.allows(1)) {
      const guess = this.guesses.next(this.pieces.list, this.keysByToken);
      if (guess === undefined) return;
      const piece = newPiece('probing', guess.text);
      this.pieces.list.splice(guess.at, 0, piece);
      this.run(piece, { limit: 1 }, { startAfter: guess.text }, (page) => this.found(piece, page));
    }
  }

  private found(piece: Piece, page: KeyPage): boolean {
    const key = page.entries.at(-1)?.key;
    const isBehind = page.entries.every((one) => one.key !== undefined && compareUtf8(one.key, piece.key) > 0);
    if (!isBehind || page.isV1 || page.isTruncated === undefined) {
      if (!isBehind) this.limits.giveUp();
      return false;
    }
    if (key === undefined || page.token === undefined) {
      // A page may be without a key although others follow, where the server hides what it has deleted.
      this.guesses.sawNothingBehind(piece.key);
      this.pieces.drop(piece);
      return true;
    }
    if (!key.startsWith(this.query.prefix)) return false;
    this.guesses.foresight.sawGap(piece.key, key);
    Object.assign(piece, { state: 'found', floor: piece.key, key, token: page.token });
    this.pieces.discard(place(this.pieces.list, piece));
    return true;
  }

  private askForDirectories({ parent, after }: { parent: string; after: string }): void {
    if (this.directories !== undefined || !this.knowsDelimiters || !this.limits.allows(1)) return;
    const { signal } = (this.directories = new AbortController());
    this.limits.began();
    requestDirectories(this.client, { ...this.query, prefix: parent, limit: 1000, signal }, after)
      .then(
        ({ names, isWhole }) => this.guesses.foresight.addDirectories({ parent, after }, names, isWhole),
        // The names only help to guess: the walk goes on without.
        () => void (this.knowsDelimiters = false),
      )
      .finally(() => {
        this.directories = undefined;
        this.limits.ended();
        this.goOn();
      });
  }

  /** @param take false: the answer is none that pages can be read ahead by */
  private run(
    piece: Piece,
    asked: { limit: number },
    position: { token?: string; startAfter?: string },
    take: (page: KeyPage) => boolean,
  ): void {
    const { signal } = (piece.abort = new AbortController());
    this.limits.began();
    piece.settled = requestPage(this.client, { ...this.query, ...asked, signal }, position)
      .then((page) => {
        if (signal.aborted) return;
        this.limits.succeeded();
        if (!take(page)) this.close();
      })
      .catch((error: unknown) => {
        if (!signal.aborted) this.failed(piece, error);
      })
      .finally(() => {
        this.limits.ended();
        this.goOn();
      });
  }

  private failed(piece: Piece, error: unknown): void {
    // Another try would not help. The walk finds out what there is to say about it.
    if (!(error instanceof UfsError) || !error.retryable) return this.close();
    this.limits.failed(error.blame === 'store' || error.code === 'Timeout', error.retryAfterMs);
    this.pieces.hold(piece, 0, 0);
    piece.failures++;
    if (piece.state === 'probing' || piece.failures >= triesOfAPiece) return this.pieces.drop(piece);
    piece.state = 'found';
    piece.notBeforeMs = performance.now() + pauseMs * 2 ** piece.failures * Math.random();
  }

  private goOnLater(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.goOn(), Math.ceil(ms));
    this.timer.unref();
  }

  private read(piece: Piece, page: KeyPage): void {
    const isFull = page.isTruncated === true && piece.heldNames !== 0 ? piece.heldNames === this.query.limit : true;
    if (isFull && page.isTruncated === true) this.guesses.sawFullPage(page.entries.length);
    this.pieces.read(piece, page, (keys) => this.guesses.foresight.learn(keys));
  }
}
