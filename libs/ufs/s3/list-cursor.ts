import { z } from 'zod';
import { UfsError } from '../types.js';

/** The position of a listing, in a form that another process can continue from. */
export interface ListCursor {
  /** The last key that was listed; absent before the first. */
  after?: string;
  /** The server's own token for the next page: `NextContinuationToken` of ListObjectsV2. */
  token?: string;
  /** The same for ListObjects: `NextMarker`, or the last key. */
  marker?: string;
  /** Pages without a key since the last one with any. */
  emptyPages?: number;
  /** How much has been listed. Always kept for an unordered listing, for an ordered one as long as it is short. */
  listed?: Listed;
  /** The listing is in no order: its keys do not tell what comes next. */
  unordered?: true;
}

/** How far a listing has come: so many keys, and a digest of them in their order. */
export interface Listed {
  keys: number;
  digest: string;
}

const cursorSchema = z.strictObject({
  after: z.string().optional(),
  token: z.string().optional(),
  marker: z.string().optional(),
  emptyPages: z.number().int().nonnegative().optional(),
  listed: z.strictObject({ keys: z.number().int().nonnegative(), digest: z.string() }).optional(),
  unordered: z.literal(true).optional(),
});

export function encodeCursor(cursor: ListCursor): string {
  return `${cursor.unordered === undefined ? 'ordered' : 'unordered'}:${JSON.stringify(cursor)}`;
}

/** Also for jobs that began under version 0.2, with a key or a token. @throws UfsError `Invalid` */
export function decodeCursor(path: string, cursor: string): ListCursor {
  if (cursor.startsWith('key:')) return { after: cursor.slice('key:'.length) };
  if (cursor.startsWith('token:')) return { token: cursor.slice('token:'.length) };
  const [, json] = /^(?:un)?ordered:(.*)$/s.exec(cursor) ?? [];
  try {
    if (json !== undefined) return cursorSchema.parse(JSON.parse(json));
  } catch {
    // Neither JSON nor a cursor: the error below says so.
  }
  throw new UfsError('Invalid', path, 'The listing position is not one of this connector.');
}
