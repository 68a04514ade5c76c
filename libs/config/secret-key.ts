/** A key that seals secret option values (AES-256-GCM). The id is stored beside what it sealed. */
export interface SecretKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Keys as settings have them: `<keyId>:<base64 of 32 bytes>`, several apart by commas. */
export function keyRingText(keys: readonly { readonly id: string; readonly key: Uint8Array }[]): string {
  return keys.map(({ id, key }) => `${id}:${Buffer.from(key).toString('base64')}`).join(',');
}
