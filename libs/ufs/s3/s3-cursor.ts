import { UfsError } from '../types.js';

/**
 * Where a listing goes on. The last key is preferred over the server's token: it means the same to every server and
 * process, and does not expire. The token remains for a page that ended without a key.
 */
export type S3Cursor = { afterKey: string } | { token: string } | Record<string, never>;

export function encodeCursor(cursor: { afterKey: string } | { token: string }): string {
  return 'token' in cursor ? `token:${cursor.token}` : `key:${cursor.afterKey}`;
}

/** @throws UfsError `Invalid` */
export function decodeCursor(path: string, cursor: string): S3Cursor {
  if (cursor.startsWith('key:')) return { afterKey: cursor.slice('key:'.length) };
  if (cursor.startsWith('token:')) return { token: cursor.slice('token:'.length) };
  throw new UfsError('Invalid', path, 'The listing position is not one of this connector.');
}
