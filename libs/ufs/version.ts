/**
 * What "the same version" of an object means, by what its store tells. Pure; used wherever versions are made or
 * compared, so that a listing, a HEAD, a GET and a cache entry of one object are comparable.
 *
 * Two things identify a version (RFC 9110, 8.8): the entity tag, strong or weak, and the time of the last modification,
 * which is a weak validator of whole seconds when it comes in a header. The size is kept beside the version everywhere.
 *
 * A version is written as a string:
 * - a strong tag unchanged, without its quotes, as in all caches: `0123456789abcdef0123456789abcdef`;
 * - everything else as `W/"tag" @time`, where the tag may be '' and the time may be missing. A strong tag has no `"`.
 */

interface Validators {
  /** Without quotes. */
  tag?: string;
  isWeak: boolean;
  modifiedMs?: number;
}

/** Validators in the store's form: headers, or elements of a listing. */
export interface GivenValidators {
  etag?: string | string[];
  /** An HTTP date, or one of ISO 8601. */
  lastModified?: string | string[];
}

/** There is nothing that could distinguish versions. */
export const noVersion = 'W/""';

/**
 * The version for these validators; `noVersion` where there are none. A tag that cannot be sent back counts as weak: it
 * can still be compared.
 */
export function versionOf({ etag, lastModified }: GivenValidators): string {
  const { tag, isWeak } = parseTag(textOf(etag));
  if (tag !== undefined && !isWeak) return tag;
  const ms = parseTime(textOf(lastModified));
  return `W/"${tag ?? ''}"${ms === undefined ? '' : ` @${new Date(ms).toISOString()}`}`;
}

/** How two versions of the same object compare. `unknown`: they have nothing in common to compare. */
export type Likeness = 'same' | 'other' | 'unknown';

/**
 * Two strong tags are compared as such, tags of which one is weak by their text (RFC 9110, 8.8.3.2; a proxy that
 * compresses makes a strong tag weak), times where not both have a tag. Equal weak tags with different times are two
 * versions.
 */
export function compareVersions(one: string, other: string): Likeness {
  return compare(parseVersion(one), parseVersion(other));
}

/** The version and size that an object is compared with. */
export interface SizedVersion {
  version: string;
  sizeBytes: number;
}

/** Whether both are known to be one version. Objects of two sizes are two versions, whatever their tags. */
export function isSameVersion(one: SizedVersion, other: SizedVersion): boolean {
  return one.sizeBytes === other.sizeBytes && compareVersions(one.version, other.version) === 'same';
}

/** Whether both have the same version, or both none. For a store that tells nothing, more cannot be known. */
export function isSameCopy(one: SizedVersion, other: SizedVersion): boolean {
  return (one.sizeBytes === other.sizeBytes && one.version === other.version) || isSameVersion(one, other);
}

/** Whether the version is a strong tag, which differs when any byte differs. */
export function isStrong(version: string): boolean {
  return !parseVersion(version).isWeak;
}

/** The version that tells more; the first where neither does. */
export function strongerOf(one: string, other: string): string {
  return rank(parseVersion(other)) > rank(parseVersion(one)) ? other : one;
}

/**
 * Headers that let a server answer only if it still has this version. A weak tag must not stand in `If-Match` (RFC
 * 9110, 13.1.1). Times have whole seconds there: a finer time is rounded up, as some servers do with their own.
 */
export function preconditionOf(
  version: string,
): { 'if-match': string } | { 'if-unmodified-since': string } | undefined {
  const { tag, isWeak, modifiedMs } = parseVersion(version);
  if (tag !== undefined && !isWeak) return isSendable(tag) ? { 'if-match': `"${tag}"` } : undefined;
  if (modifiedMs === undefined) return undefined;
  return { 'if-unmodified-since': new Date(Math.ceil(modifiedMs / 1000) * 1000).toUTCString() };
}

/**
 * Whether an answer can be of the expected version, and the version to use from then on: the answer's where it has a
 * strong tag and the expected one has none, else the expected one.
 * @returns likeness `unknown` where the answer has nothing to compare: then it depends on whether the server has obeyed
 *   `preconditionOf(expected)`
 */
export function judgeAnswer(expected: string, answer: GivenValidators): { likeness: Likeness; version: string } {
  // Nearly all answers, at the price of one comparison.
  if (answer.etag === `"${expected}"` && isStrong(expected)) return { likeness: 'same', version: expected };
  const { tag, isWeak } = parseTag(textOf(answer.etag));
  const told = parseVersion(versionOf({ ...answer, etag: undefined }));
  const likeness = compare(parseVersion(expected), { ...told, tag, isWeak: tag === undefined || isWeak });
  return { likeness, version: likeness === 'same' ? strongerOf(expected, versionOf(answer)) : expected };
}

function compare(one: Validators, other: Validators): Likeness {
  const times = compareTimes(one.modifiedMs, other.modifiedMs);
  if (one.tag === undefined || other.tag === undefined) return times;
  if (one.tag !== other.tag) return 'other';
  return (one.isWeak || other.isWeak) && times === 'other' ? 'other' : 'same';
}

/**
 * A listing may give milliseconds where the header gives the second before or after (Swift rounds up). So a time of a
 * whole second equals a finer one that differs by less than a second.
 */
function compareTimes(one: number | undefined, other: number | undefined): Likeness {
  if (one === undefined || other === undefined) return 'unknown';
  if (one === other) return 'same';
  const isOneWhole = (one % 1000 === 0) !== (other % 1000 === 0);
  return isOneWhole && Math.abs(one - other) < 1000 ? 'same' : 'other';
}

function rank({ tag, isWeak, modifiedMs }: Validators): number {
  if (tag !== undefined) return isWeak ? 2 : 3;
  return modifiedMs === undefined ? 0 : 1;
}

/** Also reads older caches, which have a strong tag unchanged, and a weak one as `W/"tag"`. */
function parseVersion(version: string): Validators {
  const [, tag, time] = /^W\/"(.*)"(?: @(\S+))?$/s.exec(version) ?? [];
  if (tag === undefined) return { tag: unquote(version), isWeak: false };
  return { tag: tag === '' ? undefined : tag, isWeak: true, modifiedMs: parseTime(time ?? '') };
}

/** An HTTP date, or one of ISO 8601. `Date.parse` alone would accept nearly any text as a time. */
function parseTime(text: string): number | undefined {
  const isDate = /^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)|[A-Z][a-z]{2,8},? .*\d{2}:\d{2}:\d{2}.*)$/.test(
    text.trim(),
  );
  const ms = isDate ? Date.parse(text) : NaN;
  // Servers that do not know the time send the beginning of the epoch.
  return ms > 0 ? ms : undefined;
}

/** Servers omit the quotes, or write them twice. */
function parseTag(text: string): { tag?: string; isWeak: boolean } {
  const [, weak, quoted] = /^(W\/)?(.*)$/s.exec(text.trim()) ?? [];
  const tag = unquote((quoted ?? '').trim());
  if (tag === '') return { isWeak: true };
  return { tag, isWeak: weak !== undefined || !isSendable(tag) };
}

function unquote(tag: string): string {
  return tag.replace(/^"+|"+$/g, '');
}

/** Whether the tag may stand between the quotes (RFC 9110, 8.8.3) and passes through a header unchanged. */
function isSendable(tag: string): boolean {
  return /^[\x21\x23-\x7e]+$/.test(tag);
}

/** Of a header that came twice, the first counts. */
function textOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
