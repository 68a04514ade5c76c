import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { emptyRoot, messageDigest, rollDigest } from '#jetstream';
import { openTestLog } from '#testing';

/** A message of a log, in the form that a forger would handle. */
export interface Forged {
  sequence: number;
  boundary: string;
  recordedAt: string;
  text: string;
}

interface BackupText {
  header: Record<string, unknown>;
  messages: Forged[];
}

export function readBackupText(file: string): BackupText {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
  const [header, ...rest] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { header, messages: rest.slice(0, -1) as unknown as Forged[] };
}

/** Writes a backup with matching count, root and checksum, like a forger who knows the format. */
export function writeForgedBackup(file: string, { header, messages }: BackupText): void {
  const renumbered = messages.map((message, i) => ({ ...message, sequence: i + 1 }));
  const lines = [{ ...header, lastSequence: messages.length }, ...renumbered].map(
    (line) => `${JSON.stringify(line)}\n`,
  );
  const root = messages.reduce(
    (before, { boundary, text }) => rollDigest(before, messageDigest(boundary, Buffer.from(text))),
    emptyRoot,
  );
  const sha256 = createHash('sha256').update(lines.join('')).digest('hex');
  const trailer = JSON.stringify({ count: messages.length, root, sha256 });
  writeFileSync(file, gzipSync(`${lines.join('')}${trailer}\n`));
}

/** Publishes the messages as the log of a cluster. It needs only a NATS client. */
export async function writeForgedLog(url: string, cluster: string, messages: readonly Forged[]): Promise<void> {
  const log = await openTestLog(url, { cluster });
  try {
    for (const { boundary, text } of messages) await log.link.js.publish(log.names.eventSubject(boundary), text);
  } finally {
    await log.close();
  }
}

/** The same message with another actor. */
export function changed(message: Forged): Forged {
  const text = message.text.replace(/"actor":"[^"]*"/, '"actor":"nobody"');
  if (text === message.text) throw new Error(`the message at ${message.sequence} names no actor`);
  return { ...message, text };
}
