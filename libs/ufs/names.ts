/** Helpers about names that all connectors share: which names are valid, how to show an invalid one, how to order. */

// eslint-disable-next-line no-control-regex -- finding control characters is the purpose
const controlCharacters = /[\u0000-\u001f\u007f]/;
// eslint-disable-next-line no-control-regex -- as above
const everyControlCharacter = /[\u0000-\u001f\u007f]/g;

export function hasControlCharacter(name: string): boolean {
  return controlCharacters.test(name);
}

/** True when one of the `/`-separated segments is `.` or `..`. */
export function hasDotSegment(name: string): boolean {
  return name.includes('.') && name.split('/').some((segment) => segment === '.' || segment === '..');
}

/** The name with control characters as `\xNN`, for messages and log lines. */
export function printable(name: string): string {
  return name.replace(everyControlCharacter, (character) => escapedByte(character.charCodeAt(0)));
}

export function escapedByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/**
 * Compares two strings by their UTF-8 bytes, the order in which connectors list. JavaScript's own `<` compares UTF-16
 * code units, which differs where a surrogate pair (U+10000 and up) meets U+E000..U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return a.length - b.length;
}

function utf8Rank(codeUnit: number): number {
  if (codeUnit < 0xd800) return codeUnit;
  return codeUnit < 0xe000 ? codeUnit + 0x2000 : codeUnit - 0x800;
}
