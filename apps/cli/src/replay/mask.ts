import { maskedValue, maskOptions, type StoredOption } from '#contexts/namespace';

/**
 * A copy of anything JSON-able in which no secret option of a mount is left: neither in clear, as older versions stored
 * some, nor sealed, for ciphertext is nobody's business either.
 */
export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  if ('ciphertext' in value && 'keyId' in value) return maskedValue;
  if (holdsMountOptions(value)) {
    const { ufs, options, ...others } = value;
    return { ...(masked(others) as object), ufs, options: maskOptions(ufs, options) };
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, masked(field)]));
}

function holdsMountOptions(value: object): value is { ufs: string; options: Record<string, StoredOption> } {
  const { ufs, options } = value as { ufs?: unknown; options?: unknown };
  return typeof ufs === 'string' && typeof options === 'object' && options !== null;
}
