import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DomainError } from '#kernel';
import { isHarmlessOption } from '#ufs/declarations';
import type { StoredOption } from './namespace.js';

/**
 * Every option value that its connector does not declare harmless is a secret. Secrets are sealed with AES-256-GCM
 * before they enter an event. The key's id is stored beside the ciphertext, so that keys can rotate: the first key of
 * the ring seals, every key opens. The option's name is additional authenticated data, so that a ciphertext cannot be
 * moved to another option.
 */
export interface SecretKey {
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

export const maskedValue = '******';

export class KeyRing {
  constructor(private readonly keys: readonly SecretKey[]) {
    if (keys.length === 0) throw new DomainError('Bug', 'empty-key-ring', 'the key ring holds no key');
  }

  seal(name: string, value: string): StoredOption {
    const { id, key } = this.keys[0];
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name));
    const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
    return {
      keyId: id,
      iv: iv.toString('base64'),
      ciphertext: ciphertext.toString('base64'),
      tag: cipher.getAuthTag().toString('base64'),
    };
  }

  /** @throws DomainError Unavailable when the key is not on the ring or the value does not open with it */
  open(name: string, option: StoredOption): string {
    if ('plain' in option) return option.plain;
    const entry = this.keys.find(({ id }) => id === option.keyId);
    if (!entry) {
      throw new DomainError(
        'Unavailable',
        'secret-key-missing',
        `option ${name} is sealed with the key '${option.keyId}', which LARDER_SECRET_KEYS does not hold`,
      );
    }
    try {
      const decipher = createDecipheriv('aes-256-gcm', entry.key, Buffer.from(option.iv, 'base64'))
        .setAAD(Buffer.from(name))
        .setAuthTag(Buffer.from(option.tag, 'base64'));
      return Buffer.concat([decipher.update(Buffer.from(option.ciphertext, 'base64')), decipher.final()]).toString();
    } catch (cause) {
      throw new DomainError('Unavailable', 'secret-does-not-open', `option ${name} does not open with its key`, {
        cause,
      });
    }
  }

  /** Keeps harmless options of this UFS in clear text and seals all others. */
  sealOptions(ufs: string, options: Readonly<Record<string, string>>): Record<string, StoredOption> {
    return mapValues(options, (value, name) =>
      isHarmlessOption(ufs, name) ? { plain: value } : this.seal(name, value),
    );
  }

  openOptions(options: Readonly<Record<string, StoredOption>>): Record<string, string> {
    return mapValues(options, (option, name) => this.open(name, option));
  }
}

/**
 * For answers and logs: all values except harmless ones become `******`. Older versions stored a secret in clear text
 * if the option's name did not show that it was one. These are masked, too.
 */
export function maskOptions(ufs: string, options: Readonly<Record<string, StoredOption>>): Record<string, string> {
  return mapValues(options, (option, name) =>
    'plain' in option && isHarmlessOption(ufs, name) ? option.plain : maskedValue,
  );
}

// Object.fromEntries defines own properties, so an option named `__proto__` stays a plain entry.
function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A, name: string) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
