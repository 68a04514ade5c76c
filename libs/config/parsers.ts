import { isIP } from 'node:net';
import { z } from 'zod';
import type { SecretKey } from './secret-key.js';

/** Turns a setting's text into a value. `expected` completes "LARDER_PORT is 'x': expected <expected>". */
export interface Parser<T> {
  readonly schema: z.ZodType<T, string>;
  readonly expected: string;
}

export function text(pattern: RegExp, expected: string): Parser<string> {
  return { schema: z.string().regex(pattern), expected };
}

export function integer(min: number, max: number, unit = 'a whole number'): Parser<number> {
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));
  return { schema, expected: `${unit} from ${min} to ${max}` };
}

export const milliseconds = (min: number, max: number): Parser<number> => integer(min, max, 'milliseconds');

/** Infinity for `never`. */
export function millisecondsOrNever(min: number, max: number): Parser<number> {
  const { schema, expected } = milliseconds(min, max);
  const never = z.literal('never').transform(() => Infinity);
  return { schema: z.union([never, schema]), expected: `${expected}, or never` };
}

/** `allowFree`: 0 stands for any free port. */
export const port = (): Parser<number> => ({ ...integer(0, 65535), expected: 'a port from 0 (any free one) to 65535' });

export function oneOf<T extends string | number>(...values: readonly T[]): Parser<T> {
  const byText = new Map(values.map((value) => [String(value), value]));
  const schema = z
    .string()
    .refine((given) => byText.has(given))
    .transform((given) => byText.get(given) as T);
  return { schema, expected: `one of ${values.join(', ')}` };
}

export function flag(): Parser<boolean> {
  return { schema: z.enum(['true', 'false']).transform((given) => given === 'true'), expected: 'true or false' };
}

const byteUnits: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `1048576`, `512KiB`, `1.5 GiB`. */
export function bytes(min: number, max = Number.MAX_SAFE_INTEGER): Parser<number> {
  const schema = z
    .string()
    .regex(/^\d+(\.\d+)? ?(KiB|MiB|GiB|TiB)$|^\d+$/)
    .transform((given) => {
      const [, amount, unit] = /^([\d.]+) ?(.*)$/.exec(given) as unknown as [string, string, string];
      return Math.floor(Number(amount) * byteUnits[unit]);
    })
    .pipe(z.number().min(min).max(max));
  const upTo = max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max}`;
  return { schema, expected: `bytes, plain or with KiB, MiB, GiB or TiB, at least ${min}${upTo}` };
}

/** A host name or address, without a port. */
export const host = (): Parser<string> => text(/^[A-Za-z0-9._:-]+$/, 'a host name or an IP address');

/** Several names or addresses without ports, separated by commas. */
export function hostNames(): Parser<readonly string[]> {
  const schema = z
    .string()
    .transform((given) => given.split(',').map((one) => one.trim()))
    .refine((names) => names.every((name) => /^[A-Za-z0-9._-]+$/.test(name) || isIP(name) !== 0));
  return { schema, expected: 'host names or IP addresses without ports, several separated by commas' };
}

/** `host:port`; an IPv6 address stands in brackets. */
export function hostAndPort(): Parser<string> {
  return text(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/, 'host:port');
}

/** Addresses and CIDR ranges, separated by commas; '' means none. */
export function addressRanges(): Parser<readonly string[]> {
  const schema = z
    .string()
    .transform((given) =>
      given
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    )
    .refine((ranges) => ranges.every(isAddressRange));
  return { schema, expected: 'IP addresses or CIDR ranges such as 10.0.0.0/8, several separated by commas' };
}

function isAddressRange(given: string): boolean {
  const [address, prefix, ...rest] = given.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** Refuses `~`: a shell expands it, but a service manager does not, and would create a directory of that name. */
export const directory = (): Parser<string> =>
  text(/^(?!~(\/|$))(?=.*\S)[^\0]+$/s, 'a directory, written out (`~` is not expanded)');

/** A log, and how far it has been seen: `<id of the log>:<sequence>`. */
export function logMark(): Parser<{ readonly logId: string; readonly sequence: number }> {
  const schema = z
    .string()
    .regex(/^[A-Za-z0-9-]+:\d{1,15}$/)
    .transform((given) => {
      const [logId, sequence] = given.split(':');
      return { logId, sequence: Number(sequence) };
    });
  return { schema, expected: '<id of the log>:<sequence>, as a coordinator that refuses to start says them' };
}

/** Comma-separated servers of one NATS; credentials, if any, are in the first. */
export function natsUrl(): Parser<string> {
  const schema = z.string().refine((given) => given.split(',').every(isNatsServer));
  return { schema, expected: 'nats://[token@ or user:password@]host:port, several separated by commas' };
}

function isNatsServer(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, hostname } = new URL(given);
  return ['nats:', 'tls:'].includes(protocol) && hostname !== '';
}

/** `<keyId>:<base64 of 32 bytes>`, several separated by commas; the first encrypts, all decrypt. */
export function keyRing(): Parser<readonly SecretKey[]> {
  const entry = z
    .string()
    .regex(/^[A-Za-z0-9._-]+:[A-Za-z0-9+/]{43}=$/)
    .transform((given) => {
      const [id, key] = given.split(':');
      return { id, key: Buffer.from(key, 'base64') };
    });
  const schema = z
    .string()
    .transform((given) => given.split(','))
    .pipe(z.array(entry))
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length);
  return { schema, expected: '<keyId>:<base64 of 32 bytes>, several with different ids separated by commas' };
}
