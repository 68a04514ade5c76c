/** A key that seals secret option values (AES-256-GCM). Its id is stored with each sealed value. */
export interface SecretKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Keys in the form of settings: `<keyId>:<base64 of 32 bytes>`, separated by commas. */
export function keyRingText(keys: readonly { readonly id: string; readonly key: Uint8Array }[]): string {
  return keys.map(({ id, key }) => `${id}:${Buffer.from(key).toString('base64')}`).join(',');
}
