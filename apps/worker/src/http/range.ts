export interface ByteRange {
  start: number;
  /** Inclusive. */
  end: number;
}

/**
 * A `Range` header (RFC 9110 §14) against an object of `sizeBytes`. `whole` when it is absent, not understood or asks
 * for several ranges: a server may answer these with everything. `unsatisfiable` when it lies beyond the end.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '');
  if (!match) return 'whole';
  const [, first, last] = match;
  if (first === '') return last === '' ? 'whole' : suffix(Number(last), sizeBytes);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'whole';
  if (start >= sizeBytes) return 'unsatisfiable';
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

function suffix(length: number, sizeBytes: number): ByteRange | 'unsatisfiable' {
  if (length === 0 || sizeBytes === 0) return 'unsatisfiable';
  return { start: Math.max(sizeBytes - length, 0), end: sizeBytes - 1 };
}

/** The UFS version as a strong entity tag; characters that cannot stand in one are percent-encoded. */
export function entityTag(version: string): string {
  return `"${version.toWellFormed().replace(/[^\x21\x23-\x7e]/gu, encodeURIComponent)}"`;
}

/** `If-None-Match` compares weakly: `W/` makes no difference (RFC 9110 §13.1.2). */
export function noneMatchHits(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((candidate) => candidate.replace(/^W\//, '') === tag);
}

/** `If-Range` lets the range stand only for a strongly equal tag; a date never is one (RFC 9110 §13.1.5). */
export function ifRangeHolds(header: string | undefined, tag: string): boolean {
  return header === undefined || header.trim() === tag;
}
