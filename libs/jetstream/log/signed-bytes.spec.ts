import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { signatureSuffixBytes, signedBytes, type Signer, splitSignature, withSignature } from '../index.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer: Signer = { writer: 'coordinator-1', sign: (bytes) => sign(null, bytes, privateKey) };

const object = fc
  .dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })
  .map((value) => Buffer.from(JSON.stringify(value)));
const context = fc.stringMatching(/^[a-z0-9]{1,8}(\.[a-z0-9-]{1,8}){0,3}$/);

/** Checks a signature in the way of every reader. */
function holds(where: string, message: Uint8Array): boolean {
  const split = splitSignature(message);
  return split !== undefined && verify(null, signedBytes(where, split.body), publicKey, split.signature);
}

it('a signature travels as the last member of the object that it signs', () => {
  fc.assert(
    fc.property(context, object, (where, bytes) => {
      const message = withSignature(where, bytes, signer);
      expect(holds(where, message)).toBe(true);
      expect(message).toHaveLength(bytes.length - 1 + signatureSuffixBytes);
      const whole = JSON.parse(Buffer.from(message).toString()) as Record<string, unknown>;
      const without = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
      expect(whole).toEqual({ ...without, sig: expect.stringMatching(/^[\w-]{86}$/) as string });
      expect(Object.keys(whole).at(-1)).toBe('sig');
    }),
  );
});

it('no byte of a signed message can be changed', () => {
  fc.assert(
    fc.property(context, object, fc.nat(), fc.integer({ min: 1, max: 255 }), (where, bytes, at, difference) => {
      const changed = Buffer.from(withSignature(where, bytes, signer));
      changed[at % changed.length] ^= difference;
      expect(holds(where, changed)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

it('every single byte of one message counts, those of the signature included', () => {
  const message = Buffer.from(withSignature('namespace', Buffer.from('{"id":"a","events":[1]}'), signer));
  for (let at = 0; at < message.length; at++) {
    for (const difference of [1, 2, 0x20, 0x80]) {
      const changed = Buffer.from(message);
      changed[at] ^= difference;
      expect({ at, difference, holds: holds('namespace', changed) }).toEqual({ at, difference, holds: false });
    }
  }
});

it('a signed message can neither be cut at an end nor extended', () => {
  fc.assert(
    fc.property(context, object, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 }), (where, bytes, at, more) => {
      const message = withSignature(where, bytes, signer);
      const cut = at % message.length;
      expect(holds(where, message.subarray(0, cut))).toBe(false);
      if (cut > 0) expect(holds(where, message.subarray(cut))).toBe(false);
      expect(holds(where, Buffer.concat([message, more]))).toBe(false);
      expect(holds(where, Buffer.concat([more, message]))).toBe(false);
    }),
  );
});

it('a signature holds in no other context', () => {
  fc.assert(
    fc.property(context, context, object, (where, elsewhere, bytes) => {
      fc.pre(where !== elsewhere);
      expect(holds(elsewhere, withSignature(where, bytes, signer))).toBe(false);
    }),
  );
});

it('the border between context and body is also signed', () => {
  fc.assert(
    fc.property(context, object, fc.nat(), (where, bytes, at) => {
      const cut = 1 + (at % (bytes.length - 1));
      const [moved, rest] = [bytes.subarray(0, cut).toString('latin1'), bytes.subarray(cut)];
      expect(signedBytes(where + moved, rest)).not.toEqual(signedBytes(where, bytes));
    }),
  );
});

describe('bytes without a valid signature', () => {
  const message = Buffer.from(withSignature('a', Buffer.from('{"id":"x"}'), signer)).toString();
  const [body, signature] = message.slice(0, -2).split(',"sig":"');

  it.each([
    ['nothing', ''],
    ['an object without one', '{"id":"x"}'],
    ['one that is not the last member', `${body},"sig":"${signature}","more":1}`],
    ['one in other letters than base64url has', `${body},"sig":"${signature.slice(0, -2)}++"}`],
    ['one that is too short', `${body},"sig":"${signature.slice(0, -4)}"}`],
    ['one that is too long', `${body},"sig":"${signature}AAAA"}`],
    ['one with a space before it', `${body}, "sig":"${signature}"}`],
    ['a signature and nothing that it signs', `,"sig":"${signature}"}`],
  ])('%s', (_, text) => {
    expect(splitSignature(Buffer.from(text))).toBeUndefined();
  });

  // 86 letters hold four bits more than 64 bytes: of the sixteen ways to write a signature, only one is accepted.
  it('one in another encoding than the original', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = letters.indexOf(signature.at(-1)!);
    for (let bits = 1; bits < 16; bits++) {
      const twin = signature.slice(0, -1) + letters[last ^ bits];
      expect(Buffer.from(twin, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
      expect(splitSignature(Buffer.from(`${body},"sig":"${twin}"}`))).toBeUndefined();
    }
  });
});

it('a message is found in the middle of a larger buffer', () => {
  const message = withSignature('a', Buffer.from('{"id":"x"}'), signer);
  const larger = Buffer.concat([Buffer.alloc(7, 0x7d), message, Buffer.alloc(5, 0x7d)]);
  expect(holds('a', new Uint8Array(larger.buffer, larger.byteOffset + 7, message.length))).toBe(true);
});
