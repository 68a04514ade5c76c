import { z } from 'zod';
import { DomainError } from '#kernel';
import { logMarkSchema } from '../index.js';
import type { StoredMessage } from '../audit/index.js';

/**
 * A backup is one file: gzip of JSON Lines. It has a header, a line for each message of the log in order, and a
 * trailer. It holds no key: secret option values are sealed, as they are in the log.
 */
export const backupFormat = 'larder-backup-1';

export const backupHeaderSchema = z.object({
  format: z.literal(backupFormat),
  /** Name of the cluster it was taken from; it may be restored under another one. */
  cluster: z.string(),
  /** Absent for an old log without an identity. */
  logId: z.string().optional(),
  /** 1, unless the log was archived. */
  firstSequence: z.number(),
  /** `firstSequence - 1` for an empty log. */
  lastSequence: z.number(),
  /** ISO 8601. */
  createdAt: z.string(),
  natsVersion: z.string(),
  /** How far this backup has seen the log. */
  mark: logMarkSchema.optional(),
});
export type BackupHeader = z.infer<typeof backupHeaderSchema>;

export const backupTrailerSchema = z.object({
  /** Messages in the file. */
  count: z.number(),
  /** Rolling digest of them all. */
  root: z.string(),
  /** SHA-256 of all lines before this one, including their newlines; hexadecimal. */
  sha256: z.string(),
});
export type BackupTrailer = z.infer<typeof backupTrailerSchema>;

const messageLineSchema = z.object({
  sequence: z.number(),
  boundary: z.string(),
  /** When the log stored it, ISO 8601. */
  recordedAt: z.string(),
  /** The stored bytes, if they are UTF-8 ... */
  text: z.string().optional(),
  /** ... and if they are not. */
  base64: z.string().optional(),
});

export interface BackupMessage extends StoredMessage {
  /** Milliseconds since the epoch. */
  readonly recordedAtMs: number;
}

export function messageLine({ sequence, boundary, data, recordedAtMs }: BackupMessage): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const text = bytes.toString('utf8');
  const content = Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') };
  return JSON.stringify({ sequence, boundary, recordedAt: new Date(recordedAtMs).toISOString(), ...content });
}

/** @throws DomainError `backup-damaged` */
export function parseMessageLine(line: unknown): BackupMessage {
  const { sequence, boundary, recordedAt, text, base64 } = parsed(messageLineSchema, line, 'a message');
  const data = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text, 'utf8');
  return { sequence, boundary, data, recordedAtMs: Date.parse(recordedAt) };
}

/** @throws DomainError `backup-damaged` */
export function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw damaged(`a line is not ${what} as expected`);
}

/** The error for a file that `larder backup` did not write, or that was changed since. */
export function damaged(why: string, cause?: unknown): DomainError {
  return new DomainError('Refused', 'backup-damaged', `the backup is damaged: ${why}`, { cause });
}
