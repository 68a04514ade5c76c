import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { type ClusterKey, derivedKey, type Signer } from '#jetstream';

/** A secret of LARDER_SIGNING_KEYS (or, when that is not set, of LARDER_SECRET_KEYS): 32 bytes. */
export type SigningSecret = ClusterKey;

/** A public key of LARDER_VERIFY_KEYS: Ed25519, 32 bytes. */
export interface VerifyKey {
  readonly id: string;
  readonly key: Uint8Array;
}

const signingPurpose = 'larder-commit-signatures';
/** DER before the 32 bytes of an Ed25519 key (RFC 8410): PKCS #8 of a private one, SPKI of a public one. */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** The private key made from a seed. @param seed 32 bytes. @throws Error for another length */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  // OpenSSL ignores bytes after the key, so it would accept a longer seed.
  if (seed.length !== 32) throw new Error(`a seed of ${seed.length} bytes`);
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
}

/** @param raw 32 bytes. @throws Error for another length */
export function publicKeyOf(raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new Error(`a public key of ${raw.length} bytes`);
  return createPublicKey({ key: Buffer.concat([publicPrefix, raw]), format: 'der', type: 'spki' });
}

/** The 32 bytes of a key's public half. */
export function rawPublicKey(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(publicPrefix.length);
}

export function isSignedWith(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, bytes, key, signature);
}

/** The keys of coordinators: those that this process may sign with, and those that it trusts. */
export class TrustRing {
  private readonly secrets = new Map<string, KeyObject>();
  private readonly publics = new Map<string, KeyObject>();

  /** @param secrets the first one signs, all are trusted. @param verifyKeys are trusted, too */
  constructor(secrets: readonly SigningSecret[], verifyKeys: readonly VerifyKey[] = []) {
    for (const { id, key } of verifyKeys) this.publics.set(id, publicKeyOf(key));
    for (const one of secrets) {
      const secret = privateKeyOf(derivedKey(one, signingPurpose));
      this.secrets.set(one.id, secret);
      this.publics.set(one.id, createPublicKey(secret));
    }
  }

  publicKey(keyId: string): KeyObject | undefined {
    return this.publics.get(keyId);
  }

  /** Whether this process holds a key to sign with. */
  get canSign(): boolean {
    return this.secrets.size > 0;
  }

  /** Whether any of the keys signed this. */
  hasSigned(bytes: Uint8Array, signature: Uint8Array): boolean {
    return [...this.publics.values()].some((key) => isSignedWith(key, bytes, signature));
  }

  /** All trusted keys, as listed in LARDER_VERIFY_KEYS. */
  verifyKeys(): VerifyKey[] {
    return [...this.publics].map(([id, key]) => ({ id, key: rawPublicKey(key) }));
  }

  /** Signs as a coordinator. @throws Error when this process holds none of the keys */
  signer(writer: string): OwnSigner {
    const [first] = this.secrets;
    if (!first) throw new Error('there is no key to sign with');
    const [keyId, key] = first;
    return new OwnSigner(writer, key, keyId);
  }
}

/** How many digests of its own messages a process remembers. Own messages that it reads soon need no verification. */
const rememberedDigests = 4_096;

/** Signs messages and recognises them when they are read back. */
export class OwnSigner implements Signer {
  private readonly digests = new Set<string>();

  constructor(
    readonly writer: string,
    private readonly key: KeyObject,
    readonly keyId?: string,
  ) {}

  /** 32 bytes. */
  get publicKey(): Buffer {
    return rawPublicKey(this.key);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return sign(null, bytes, this.key);
  }

  stored(digest: string): void {
    this.digests.add(digest);
    if (this.digests.size > rememberedDigests) this.digests.delete(this.digests.values().next().value!);
  }

  /** Whether this signer signed this message, and the message was stored a short while ago. */
  isOwn(digest: string): boolean {
    return this.digests.has(digest);
  }
}

/** Settings that name the coordinators' keys. */
export interface CoordinatorKeySettings {
  readonly secretKeys: readonly SigningSecret[];
  readonly signingKeys?: readonly SigningSecret[];
  readonly verifyKeys?: readonly VerifyKey[];
}

/**
 * The coordinators' keys that a process trusts: LARDER_SIGNING_KEYS and LARDER_VERIFY_KEYS. When neither is set, they
 * are derived from LARDER_SECRET_KEYS.
 */
export function coordinatorKeys({ secretKeys, signingKeys, verifyKeys }: CoordinatorKeySettings): TrustRing {
  return new TrustRing(signingKeys ?? (verifyKeys ? [] : secretKeys), verifyKeys);
}
