import { isUtf8 } from 'node:buffer';
import { escapedByte, hasControlCharacter } from '../names.js';

/**
 * A file name or path as the kernel knows it: any bytes but NUL, one character per byte (latin1). In this form
 * JavaScript's `<` is byte order, any name fits, and a name costs one byte per byte in memory.
 */
export type PathBytes = string;

// eslint-disable-next-line no-control-regex -- any ASCII, control characters included
const asciiOnly = /^[\x00-\x7f]*$/;

export function toPathBytes(text: string): PathBytes {
  return asciiOnly.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The text whose UTF-8 form is `bytes`, or undefined when there is none. */
export function toText(bytes: PathBytes): string | undefined {
  if (asciiOnly.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, 'latin1');
  return isUtf8(buffer) ? buffer.toString('utf8') : undefined;
}

/** The form that a `node:fs` function takes. */
export function toSystemPath(bytes: PathBytes): string | Buffer {
  return asciiOnly.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** The reason why a name can never be loaded, as a sentence, or undefined when it can. */
export function nameFault(bytes: PathBytes): string | undefined {
  const text = toText(bytes);
  if (text === undefined) return 'The name is not valid UTF-8.';
  return hasControlCharacter(text) ? 'The name holds a control character.' : undefined;
}

/** A path of any bytes as text for people: bytes that are not printable UTF-8 become `\xNN`. */
export function toDisplay(bytes: PathBytes): string {
  const text = toText(bytes);
  if (text !== undefined && !hasControlCharacter(text)) return text;
  return Array.from(bytes, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 || code > 0x7e ? escapedByte(code) : character;
  }).join('');
}
