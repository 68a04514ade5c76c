import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PRIVATE_FILE_MODE } from '#private-files';
import { errorCode } from '../disk/disk-errors.js';
import { CacheIndex } from '../entries/cache-index.js';
import { DamagedEntryError } from '../entries/entry-codec.js';
import { TABLES } from '../entries/index-rows.js';
import { type CacheLayout } from '../disk/layout.js';

// LMDB maps its file and trusts it: a damaged one does not raise an error but a segmentation fault, at every start.
// Two nets are spread before it is opened: its meta pages are looked at here, and when an earlier opening did not come
// to its end, another process tries first.

/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID, MDB_INCOMPATIBLE (lmdb.h). */
const DAMAGE_CODES = new Set([-30797, -30796, -30794, -30793, -30784]);
const META_COUNT = 2;
const META_MAGIC = 0xbeefc0de;
const PAGE_HEADER_BYTES = 24;
const DEFAULT_PAGE_BYTES = 4096;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

/** Offsets within MDB_meta of lmdb 3.5's liblmdb (mdb.c). */
const META = { magic: 0, pageBytes: 24, freeRoot: 64, mainRoot: 112, txnId: 128, end: 136 };

/** Why the index must not be opened, or undefined when no damage was found. */
export async function findIndexDamage(layout: CacheLayout): Promise<string | undefined> {
  const file = CacheIndex.dataFile(layout.index);
  const bytes = await sizeOf(file);
  if (bytes === undefined || bytes === 0) return undefined;
  const damage = await checkMetaPages(file, bytes);
  if (damage !== undefined) return damage;
  return (await sizeOf(openingMarker(layout))) === undefined ? undefined : probe(layout.index);
}

/** Opens the index under a marker that remains if opening kills the process. */
export async function withOpeningMarker<T>(layout: CacheLayout, task: () => Promise<T>): Promise<T> {
  const marker = openingMarker(layout);
  await writeFile(marker, '', { mode: PRIVATE_FILE_MODE });
  const result = await task();
  await rm(marker, { force: true });
  return result;
}

/**
 * Whether an error of LMDB or of decoding means that the index is damaged (and not, for example, that memory is short).
 */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedEntryError) return true;
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'number' && DAMAGE_CODES.has(code);
}

/** Puts the index aside for inspection. It replaces one put aside earlier. */
export async function quarantineIndex(layout: CacheLayout): Promise<void> {
  await rm(layout.quarantine, { recursive: true, force: true });
  await rename(layout.index, layout.quarantine);
  await rm(openingMarker(layout), { force: true });
}

function openingMarker(layout: CacheLayout): string {
  return `${layout.index}.opening`;
}

async function checkMetaPages(file: string, fileBytes: number): Promise<string | undefined> {
  const handle = await open(file, 'r');
  try {
    const metas: Buffer[] = [];
    let pageBytes = DEFAULT_PAGE_BYTES;
    for (let page = 0; page < META_COUNT; page++) {
      const meta = Buffer.alloc(META.end);
      const { bytesRead } = await handle.read(meta, 0, META.end, page * pageBytes + PAGE_HEADER_BYTES);
      if (bytesRead < META.end) return 'its file is cut short';
      if (meta.readUInt32LE(META.magic) !== META_MAGIC) return 'its file is not an LMDB file';
      if (page === 0) pageBytes = meta.readUInt32LE(META.pageBytes);
      metas.push(meta);
    }
    const [first, second] = metas as [Buffer, Buffer];
    const newest = first.readBigUInt64LE(META.txnId) > second.readBigUInt64LE(META.txnId) ? first : second;
    for (const root of [newest.readBigUInt64LE(META.freeRoot), newest.readBigUInt64LE(META.mainRoot)]) {
      if (root !== NO_ROOT && (root + 1n) * BigInt(pageBytes) > BigInt(fileBytes)) return 'its file is cut short';
    }
    return undefined;
  } finally {
    await handle.close();
  }
}

/** Another process opens and reads all of the index. Returns whether that killed it. */
async function probe(directory: string): Promise<string | undefined> {
  const script = `
    const { open } = require(process.argv[2]);
    const root = open({ path: process.argv[1], noSubdir: false, readOnly: true });
    for (const name of ${JSON.stringify(TABLES)}) {
      const database = root.openDB(name, { keyEncoding: 'binary', encoding: 'binary' });
      // An older format has fewer databases.
      for (const { value } of database?.getRange() ?? []) value.length;
    }`;
  // The main script has a known place in both module systems. This module has not.
  const lmdb = createRequire(process.argv[1] ?? join(process.cwd(), 'main.js')).resolve('lmdb');
  const child = spawn(process.execPath, ['-e', script, directory, lmdb], { stdio: 'ignore' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (signal !== null) return `reading it ends a process by ${signal}`;
  return code === 0 ? undefined : 'it cannot be read';
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
