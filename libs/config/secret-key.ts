/** A key that seals secret option values (AES-256-GCM). The id is stored beside what it sealed. */
export interface SecretKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}
