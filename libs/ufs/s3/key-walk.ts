import { compareUtf8, printable } from '../names.js';
import type { ListCursor, Listed } from './list-cursor.js';
import { PositionRefused, requestPage, type ListPosition, type ListQuery } from './list-request.js';
import type { ReadAhead } from './ahead/read-ahead.js';
import { ListTrail, maxRemembered, maxRememberedInOrder } from './list-trail.js';
import { misread, type KeyPage } from './list-xml.js';
import type { S3Client } from './s3-client.js';

/** S3 never gives more (ListObjectsV2, max-keys). */
export const maxKeysPerPage = 1000;

/** A page and where the listing stands behind it; without `next` it is the last one. */
export interface WalkedPage {
  page: KeyPage;
  next?: ListCursor;
  trail: ListTrail;
}

/**
 * Walks one page after another. The walk is complete: it gives every key once, or fails. The server's own token leads
 * from page to page. In an ordered listing, the last key also tells the position, and the order is checked: each key is
 * greater than the one before by its UTF-8 bytes. In an unordered listing, each key is compared with the keys before.
 */
export class KeyWalk {
  /**
   * @param maxEmptyPages this many pages in a row may hold only what the server hides, such as the markers of deleted
   *   objects
   */
  constructor(
    private readonly client: Pick<S3Client, 'exchange'>,
    /** The mount's option for listings in no order, for messages that recommend it. */
    private readonly orderOption: string,
    private readonly maxEmptyPages = 10_000,
    /** So many keys show whether a listing is in order. */
    private readonly rememberedInOrder = maxRememberedInOrder,
  ) {}

  /**
   * @param trail of the walk so far, where this process has done it
   * @param ahead pages that may have been read already
   */
  async next(
    query: ListQuery,
    cursor: ListCursor,
    trail: ListTrail | undefined,
    ahead?: ReadAhead,
  ): Promise<WalkedPage> {
    if (cursor.unordered) return await this.nextUnordered(query, cursor, trail);
    const known = trail ?? trailOf(cursor);
    // A store may turn out to keep no order as long as the walk remembers its keys: until then, nothing is read ahead.
    const reader = known.listed === undefined ? ahead : undefined;
    const read = await this.readAhead(query, cursor, known, reader);
    const { page, position } = read ?? (await this.ask(query, cursor));
    const disorder = disorderOf(page, cursor.after);
    if (disorder === undefined) {
      for (const key of keysOf(page)) known.addInOrder(key, this.rememberedInOrder);
      // `start-after` has skipped keys. In an unordered listing they might have come later.
      if (position.startAfter !== undefined) known.miss();
      const next = this.behind(query, cursor, page, position, known);
      if (read === undefined) reader?.saw(page, cursor.after);
      return { page, next, trail: known };
    }
    if (position.startAfter === undefined && known.listed !== undefined) {
      const { trail: whole } = known.isWhole ? { trail: known } : await this.recall(query, known.listed);
      return this.inNoOrder(query, { ...cursor, unordered: true }, page, position, whole);
    }
    const [before, after] = disorder.map((key) => JSON.stringify(printable(key)));
    const advice = `if the store keeps no order, mount it with the option ${this.orderOption}=true`;
    throw misread(query.path, `does not go on in order: ${after} comes after ${before}; ${advice}`);
  }

  private async readAhead(query: ListQuery, cursor: ListCursor, trail: ListTrail, ahead: ReadAhead | undefined) {
    const page = await ahead?.next(cursor, query.signal);
    if (page === undefined) return undefined;
    const { token } = page;
    if (token !== undefined && (token === cursor.token || trail.hasToken(token))) {
      // Keys appeared behind the last one, before the place that the token stands for. The walk goes on from there.
      ahead?.close();
      return undefined;
    }
    const position: ListPosition = cursor.token === undefined ? {} : { token: cursor.token };
    return { page, position };
  }

  private async nextUnordered(query: ListQuery, cursor: ListCursor, trail: ListTrail | undefined): Promise<WalkedPage> {
    const { listed } = cursor;
    const isRecalled = trail === undefined && listed !== undefined && listed.keys > 0 && listed.keys <= maxRemembered;
    const recalled = isRecalled ? await this.recall(query, listed) : undefined;
    const known = trail ?? recalled?.trail ?? trailOf(cursor);
    const at = recalled?.at ?? cursor;
    const { page, position } = await this.ask(query, at);
    return this.inNoOrder(query, at, page, position, known);
  }

  /**
   * Another process began the walk: repeats its part, to learn the keys that must not come again and a token of its
   * own.
   * @throws UfsError `Invalid` where the part has changed meanwhile: which keys came already is then unknown
   */
  private async recall(query: ListQuery, listed: Listed): Promise<{ at: ListCursor; trail: ListTrail }> {
    let at: ListCursor | undefined = { unordered: true };
    const trail = new ListTrail();
    while (at !== undefined) {
      const { keys, digest } = trail.listed!;
      if (keys === listed.keys && digest === listed.digest) return { at, trail };
      if (keys >= listed.keys) break;
      const limit = Math.min(maxKeysPerPage, listed.keys - keys);
      const { page, position } = await this.ask({ ...query, limit }, at);
      at = this.inNoOrder(query, at, page, position, trail).next;
    }
    throw misread(query.path, 'is in no order and has changed since another process began it: it must start again');
  }

  private inNoOrder(
    query: ListQuery,
    cursor: ListCursor,
    page: KeyPage,
    position: ListPosition,
    trail: ListTrail,
  ): WalkedPage {
    for (const key of keysOf(page)) {
      if (!trail.add(key)) throw misread(query.path, `has the key ${JSON.stringify(printable(key))} twice`);
    }
    return { page, next: this.behind(query, cursor, page, position, trail), trail };
  }

  /** Requests the page after the cursor in each possible way, by the server's own token first. */
  private async ask(query: ListQuery, cursor: ListCursor): Promise<{ page: KeyPage; position: ListPosition }> {
    const ways = waysOn(cursor);
    let ignored: { page: KeyPage; position: ListPosition } | undefined;
    for (const [i, position] of ways.entries()) {
      const isLast = i === ways.length - 1;
      try {
        const page = await requestPage(this.client, query, position);
        assertBelow(query, page);
        // A server of V1 ignores `start-after`: try its own parameter.
        const isIgnored = position.startAfter !== undefined && disorderOf(page, cursor.after) !== undefined;
        if (isLast || !isIgnored) return { page, position };
        ignored = { page, position };
      } catch (error) {
        if (!(error instanceof PositionRefused)) throw error;
        if (!isLast) continue;
        if (ignored === undefined) throw error.why;
        return ignored;
      }
    }
    throw new Error('there is always a way to ask');
  }

  /** The position after this page; undefined at the end of the listing. */
  private behind(
    { path }: ListQuery,
    cursor: ListCursor,
    page: KeyPage,
    position: ListPosition,
    trail: ListTrail,
  ): ListCursor | undefined {
    if (!mayHaveMore(page)) return undefined;
    const emptyPages = page.entries.length === 0 ? (cursor.emptyPages ?? 0) + 1 : undefined;
    if ((emptyPages ?? 0) > this.maxEmptyPages)
      throw misread(path, `has over ${this.maxEmptyPages} pages in a row without a key`);
    const { unordered } = cursor;
    const { listed } = trail;
    const last = lastNameOf(page);
    const after = last ?? cursor.after;
    const byMarker = page.token === undefined && (page.isV1 || position.marker !== undefined);
    const marker = byMarker ? (page.nextMarker ?? last) : undefined;
    const word = page.token ?? marker;
    // The last key would be enough for a store that keeps the order, which is unknown here.
    if (word === undefined && (page.isTruncated === true || unordered !== undefined || last === undefined)) {
      throw misread(path, 'announces a further page and does not say where');
    }
    const isRepeated = word !== undefined && (word === (position.token ?? position.marker) || !trail.addToken(word));
    if (isRepeated) throw misread(path, 'does not advance: it says twice to go on from the same place');
    return {
      ...(after === undefined ? {} : { after }),
      ...(page.token === undefined ? {} : { token: page.token }),
      ...(marker === undefined ? {} : { marker }),
      ...(emptyPages === undefined ? {} : { emptyPages }),
      ...(listed === undefined ? {} : { listed }),
      ...(unordered === undefined ? {} : { unordered }),
    };
  }
}

/** What the cursor says of the walk so far. */
function trailOf(cursor: ListCursor): ListTrail {
  const { listed } = cursor;
  if (listed !== undefined) return new ListTrail(listed.keys, listed.digest);
  return new ListTrail(isStart(cursor) ? 0 : Infinity);
}

function isStart({ after, token, marker }: ListCursor): boolean {
  return after === undefined && token === undefined && marker === undefined;
}

function waysOn(cursor: ListCursor): ListPosition[] {
  const { after, token, marker, unordered, listed } = cursor;
  // A server may know only V1, and refuse V2.
  if (isStart(cursor)) return [{}, { marker: '' }];
  const ways: ListPosition[] = [];
  if (token !== undefined) ways.push({ token });
  if (marker !== undefined) ways.push({ marker });
  if (after !== undefined && unordered === undefined) {
    ways.push({ startAfter: after });
    if (ways.length === 1) ways.push({ marker: after });
  }
  // After pages without a key, the beginning is an equally good position.
  if (after === undefined && listed?.keys === 0) ways.push({});
  return ways;
}

/** When an answer does not say, the next page will: no page counts as the last one without proof. */
function mayHaveMore({ isTruncated, token, nextMarker, entries }: KeyPage): boolean {
  return isTruncated ?? (token !== undefined || nextMarker !== undefined || entries.length > 0);
}

function keysOf({ entries }: Pick<KeyPage, 'entries'>): string[] {
  return entries.flatMap(({ key }) => key ?? []);
}

/** Also of an unreadable key: a key that is not encoded as announced is not encoded at all. */
function lastNameOf({ entries }: Pick<KeyPage, 'entries'>): string | undefined {
  const last = entries.at(-1);
  return last?.key ?? last?.name ?? keysOf({ entries }).at(-1);
}

/** The first two keys that are not in ascending order. The first of them may be the last key of the page before. */
function disorderOf(page: KeyPage, after: string | undefined): [string, string] | undefined {
  let before = after;
  for (const key of keysOf(page)) {
    if (before !== undefined && compareUtf8(before, key) >= 0) return [before, key];
    before = key;
  }
  return undefined;
}

function assertBelow({ path, prefix }: ListQuery, page: KeyPage): void {
  const stranger = keysOf(page).find((key) => !key.startsWith(prefix));
  if (stranger === undefined) return;
  throw misread(path, `has a key that was not asked for, ${JSON.stringify(printable(stranger))}`);
}
