import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { emptyRoot, messageDigest, messageOf, rollDigest } from '#jetstream';
import { DomainError } from '#kernel';
import {
  type BackupHeader,
  backupHeaderSchema,
  type BackupMessage,
  type BackupTrailer,
  backupTrailerSchema,
  damaged,
  parsed,
  parseMessageLine,
} from './backup-format.js';

/** NATS limits the size of a message. With JSON escapes, a line may be several times as long. */
const maxLineBytes = 64 * 1024 * 1024;
const newline = 0x0a;

export interface ReadOptions {
  /**
   * Also reads a file whose messages, count, root or checksum differ from its trailer, so that the caller can find out
   * what is wrong. The file must still be complete: a part that cannot be unpacked or parsed is an error.
   */
  readonly acceptFaults?: boolean;
}

/** A backup file. It can be read several times, each time in order. */
export class BackupFile {
  private constructor(
    readonly file: string,
    readonly header: BackupHeader,
  ) {}

  /** @throws DomainError `no-such-file`, `backup-damaged` */
  static async open(file: string): Promise<BackupFile> {
    for await (const line of readLines(file))
      return new BackupFile(file, parsed(backupHeaderSchema, json(line), 'a header'));
    throw damaged('it is empty');
  }

  /** Reads the whole file. @throws DomainError `backup-damaged` when anything in it differs from its trailer */
  static async check(file: string): Promise<BackupTrailer> {
    const backup = await BackupFile.open(file);
    const messages = backup.messages();
    for (;;) {
      const { done, value } = await messages.next();
      if (done) return value;
    }
  }

  /** Yields the messages, then compares the trailer with them and returns it. @throws DomainError `backup-damaged` */
  async *messages(options: ReadOptions = {}): AsyncGenerator<BackupMessage, BackupTrailer> {
    const hash = createHash('sha256');
    let [count, root, expected] = [0, emptyRoot, this.header.firstSequence];
    let trailer: { given: BackupTrailer; sha256: string } | undefined;
    let isHeader = true;
    for await (const line of readLines(this.file)) {
      if (trailer) throw damaged('something follows its trailer');
      const value = isHeader ? undefined : json(line);
      if (!isHeader && !('sequence' in (value as object))) {
        trailer = { given: parsed(backupTrailerSchema, value, 'a message or the trailer'), sha256: hash.digest('hex') };
        continue;
      }
      hashLine(hash, line);
      if (isHeader) {
        isHeader = false;
        continue;
      }
      const message = parseMessageLine(value);
      if (!options.acceptFaults && message.sequence !== expected) {
        throw damaged(`it has the message ${message.sequence} where ${expected} should be`);
      }
      expected++;
      count++;
      root = rollDigest(root, messageDigest(message.boundary, message.data));
      yield message;
    }
    if (!trailer) throw damaged('its end is missing');
    if (!options.acceptFaults) this.compare(trailer, { count, root, last: expected - 1 });
    return trailer.given;
  }

  private compare(
    { given, sha256 }: { given: BackupTrailer; sha256: string },
    found: { count: number; root: string; last: number },
  ): void {
    const { lastSequence } = this.header;
    if (found.last !== lastSequence) throw damaged(`it ends at ${found.last} and not at ${lastSequence}`);
    if (found.count !== given.count) throw damaged(`it holds ${found.count} messages and not ${given.count}`);
    if (found.root !== given.root) throw damaged(`the digest of its messages is ${found.root} and not ${given.root}`);
    if (sha256 !== given.sha256) throw damaged('its checksum does not fit its lines');
  }
}

function hashLine(hash: Hash, line: Buffer): void {
  hash.update(line).update('\n');
}

function json(line: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw damaged('a line of it is no JSON', error);
  }
  throw damaged('a line of it is no object');
}

async function* readLines(file: string): AsyncGenerator<Buffer> {
  // An error of either stream ends the iteration below with that error.
  const unpacked = pipeline(createReadStream(file), createGunzip(), () => undefined);
  let rest: Buffer[] = [];
  let restBytes = 0;
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        yield rest.length === 0 ? chunk.subarray(start, end) : Buffer.concat([...rest, chunk.subarray(start, end)]);
        rest = [];
        restBytes = 0;
        start = end + 1;
      }
      if (start === chunk.length) continue;
      rest.push(chunk.subarray(start));
      restBytes += chunk.length - start;
      if (restBytes > maxLineBytes) throw damaged('a line of it is too long');
    }
  } catch (error) {
    throw readError(file, error);
  }
  if (restBytes > 0) throw damaged('its last line is cut short');
}

function readError(file: string, error: unknown): Error {
  if (error instanceof DomainError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new DomainError('NotFound', 'no-such-file', `there is no file ${file}`);
  if (code?.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return damaged(`it does not unpack (${messageOf(error)})`, error);
  }
  return error instanceof Error ? error : new Error(messageOf(error));
}
