import { maskedValue } from '#contexts/namespace';

/** A copy of anything JSON-able in which no sealed value is left: ciphertext is nobody's business either. */
export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  if ('ciphertext' in value && 'keyId' in value) return maskedValue;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, masked(field)]));
}
