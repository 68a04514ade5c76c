import { generateKeyPairSync, verify } from 'node:crypto';
import fc from 'fast-check';
import {
  coordinatorKeys,
  isSignedWith,
  OwnSigner,
  privateKeyOf,
  publicKeyOf,
  rawPublicKey,
  TrustRing,
} from './index.js';

const secret = (id: string, byte: number) => ({ id, key: Buffer.alloc(32, byte) });
const text = Buffer.from('what is signed');

describe('a key', () => {
  // RFC 8032, section 7.1, tests 1 to 3: secret key, public key, message, signature.
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ])('of RFC 8032 gives the signature of the RFC: %.8s', (seed, publicKey, message, signature) => {
    const key = privateKeyOf(Buffer.from(seed, 'hex'));
    const bytes = Buffer.from(message, 'hex');
    expect(rawPublicKey(key).toString('hex')).toBe(publicKey);
    expect(Buffer.from(new OwnSigner('w', key).sign(bytes)).toString('hex')).toBe(signature);
    expect(isSignedWith(publicKeyOf(Buffer.from(publicKey, 'hex')), bytes, Buffer.from(signature, 'hex'))).toBe(true);
  });

  it('is encoded in 32 bytes and decoded again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const key = privateKeyOf(seed);
        const raw = rawPublicKey(key);
        expect(raw).toHaveLength(32);
        expect(rawPublicKey(publicKeyOf(raw))).toEqual(raw);
        expect(isSignedWith(publicKeyOf(raw), text, new OwnSigner('w', key).sign(text))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it.each([0, 31, 33, 64])('of %d bytes is refused', (length) => {
    expect(() => publicKeyOf(Buffer.alloc(length))).toThrow(`a public key of ${length} bytes`);
    expect(() => privateKeyOf(Buffer.alloc(length))).toThrow(`a seed of ${length} bytes`);
  });

  it('accepts no bytes that are not its signature', () => {
    const key = publicKeyOf(rawPublicKey(privateKeyOf(Buffer.alloc(32, 3))));
    for (const signature of [Buffer.alloc(0), Buffer.alloc(63), Buffer.alloc(64), Buffer.alloc(65)]) {
      expect(isSignedWith(key, text, signature)).toBe(false);
    }
  });
});

describe('the coordinators’ keys', () => {
  // Existing logs were signed with keys derived in this way. Every version must derive the same keys.
  it('are derived from their secrets: a recorded vector', () => {
    const ring = new TrustRing([secret('k1', 1)]);
    const [{ id, key }] = ring.verifyKeys();
    expect({ id, key: Buffer.from(key).toString('hex') }).toEqual({
      id: 'k1',
      key: '147adffab6b7a4af28378636907e9a33143d66f66aac41c8e3158b0707213a0a',
    });
    expect(Buffer.from(ring.signer('c').sign(text)).toString('hex')).toBe(
      'abe58a2ff2412a8b538384261bac5ddea06b481e314a68b8bb35770aa396bc39c484ce8db628a0c568a9f6d6a24a54a0f0097b49ba91de41d0425cf292009e0b',
    );
  });

  it('are not the secrets themselves, which also serve other purposes', () => {
    const [{ key }] = new TrustRing([secret('k1', 1)]).verifyKeys();
    expect(Buffer.from(key)).not.toEqual(rawPublicKey(privateKeyOf(Buffer.alloc(32, 1))));
  });

  it('sign with the first one, and verify with all, each under its own name only', () => {
    const ring = new TrustRing([secret('b', 2), secret('a', 1)]);
    const before = new TrustRing([secret('a', 1)]);
    const [newer, older] = [ring.signer('c-1'), before.signer('c-1')];
    expect([newer.keyId, older.keyId, newer.writer]).toEqual(['b', 'a', 'c-1']);
    for (const signer of [newer, older]) expect(ring.hasSigned(text, signer.sign(text))).toBe(true);
    expect(before.hasSigned(text, newer.sign(text))).toBe(false);
    expect(isSignedWith(ring.publicKey('a')!, text, older.sign(text))).toBe(true);
    expect(isSignedWith(ring.publicKey('a')!, text, newer.sign(text))).toBe(false);
    expect(ring.publicKey('c')).toBeUndefined();
  });

  it('include public halves, which verify and cannot sign', () => {
    const ring = new TrustRing([secret('b', 2), secret('a', 1)]);
    const halves = new TrustRing([], ring.verifyKeys());
    for (const byte of [1, 2]) {
      const signature = new TrustRing([secret('x', byte)]).signer('c').sign(text);
      expect(halves.hasSigned(text, signature)).toBe(true);
    }
    expect([ring.canSign, halves.canSign]).toEqual([true, false]);
    expect(() => halves.signer('c')).toThrow('there is no key to sign with');
    expect(halves.verifyKeys()).toEqual(ring.verifyKeys());
  });

  it('prefer a secret over a public half of the same name', () => {
    const ring = new TrustRing([secret('a', 1)], new TrustRing([secret('a', 2)]).verifyKeys());
    expect(ring.hasSigned(text, ring.signer('c').sign(text))).toBe(true);
    expect(ring.verifyKeys()).toEqual(new TrustRing([secret('a', 1)]).verifyKeys());
  });

  it('do not include a half of a wrong length', () => {
    expect(() => new TrustRing([], [{ id: 'a', key: Buffer.alloc(31) }])).toThrow('a public key of 31 bytes');
  });
});

describe('the keys that a process accepts', () => {
  const secretKeys = [secret('s', 1)];
  const signingKeys = [secret('g', 2)];
  const verifyKeys = new TrustRing([secret('v', 3)]).verifyKeys();

  it.each([
    ['those derived from LARDER_SECRET_KEYS, where nothing else is set', { secretKeys }, ['s'], true],
    ['LARDER_SIGNING_KEYS, and no longer what is derived', { secretKeys, signingKeys }, ['g'], true],
    ['LARDER_VERIFY_KEYS, and no longer what is derived', { secretKeys, verifyKeys }, ['v'], false],
    ['both of these', { secretKeys, signingKeys, verifyKeys }, ['v', 'g'], true],
    ['none', { secretKeys: [] }, [], false],
  ])('%s', (_, settings, ids, canSign) => {
    const ring = coordinatorKeys(settings);
    expect(ring.verifyKeys().map(({ id }) => id)).toEqual(ids);
    expect(ring.canSign).toBe(canSign);
  });
});

describe('a signer', () => {
  it('recognizes the newest of the stored messages that it has signed', () => {
    const signer = new OwnSigner('w', generateKeyPairSync('ed25519').privateKey);
    for (let i = 0; i < 4_097; i++) signer.stored(`digest-${i}`);
    expect(['digest-0', 'digest-1', 'digest-4096', 'never'].map((digest) => signer.isOwn(digest))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('gives its public half, with which others verify', () => {
    const signer = new OwnSigner('w', privateKeyOf(Buffer.alloc(32, 2)));
    expect(verify(null, text, publicKeyOf(signer.publicKey), signer.sign(text))).toBe(true);
    expect(signer.keyId).toBeUndefined();
  });
});
