import { maskedValue, maskOptions, type StoredOption } from '#contexts/namespace';

/**
 * A copy of a JSON-able value without secret options of mounts. It masks those in clear text, which older versions
 * stored, and sealed ones, because ciphertext should not be shown either.
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
