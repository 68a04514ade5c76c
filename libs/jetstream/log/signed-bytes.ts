/**
 * How a signature travels with what it signs. A JSON object is signed as bytes, and the signature becomes its last
 * member, `"sig"`. So what is stored stays one JSON object, and digests and backups cover the signature too. The
 * signature covers a context and everything before it, so that it is not valid for the same bytes elsewhere (on another
 * boundary).
 */

const opening = Buffer.from(',"sig":"');
const closing = Buffer.from('"}');
/** Ed25519 (RFC 8032): 64 bytes, in base64url without padding. */
const signatureBytes = 64;
const signatureChars = 86;
/** How many bytes a signature adds to a message. */
export const signatureSuffixBytes = opening.length + signatureChars + closing.length;

/** Signs as one writer. */
export interface Signer {
  /** The writer's name: `coordinator-<uuid>`, `worker-<uuid>`. */
  readonly writer: string;
  /** The key of the ring; undefined: the writer's own key, which the log knows. */
  readonly keyId?: string;
  /** @returns 64 bytes */
  sign(bytes: Uint8Array): Uint8Array;
  /** Called with the digest of each message that this writer has signed and that was stored. */
  stored?(digest: string): void;
}

export interface SplitBytes {
  /** The signed part: the object's bytes without the signature and its closing brace. */
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

/** The message with its signature. @param object bytes of a JSON object with at least one member */
export function withSignature(context: string, object: Uint8Array, signer: Signer): Uint8Array {
  const body = object.subarray(0, object.length - 1);
  const signature = Buffer.from(signer.sign(signedBytes(context, body))).toString('base64url');
  return Buffer.concat([body, opening, Buffer.from(signature), closing]);
}

/** Body and signature of a message; undefined if it has no signature. */
export function splitSignature(data: Uint8Array): SplitBytes | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const at = bytes.length - signatureSuffixBytes;
  if (at < 1) return undefined;
  if (!bytes.subarray(at, at + opening.length).equals(opening)) return undefined;
  if (!bytes.subarray(bytes.length - closing.length).equals(closing)) return undefined;
  const text = bytes.toString('latin1', at + opening.length, bytes.length - closing.length);
  const signature = Buffer.from(text, 'base64url');
  // The decoder skips characters that are not base64url. One signature must have only one spelling.
  if (signature.length !== signatureBytes || signature.toString('base64url') !== text) return undefined;
  return { body: bytes.subarray(0, at), signature };
}

/** The bytes that are signed: the context, a zero byte, the body. */
export function signedBytes(context: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${context}\0`), body]);
}
