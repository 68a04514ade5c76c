// What the cache store costs beside plain files. Run after a build, with nothing else on the machine:
//   node test/bench/cache-store.mjs [--directory DIR] [--small 10000] [--large 6] [--rounds 3]
// Every round does the same work with the store and with plain files (write to a temporary name, fdatasync, rename; for
// small files also without any sync, as `cp` would), in turn, so that the ratios hold on any machine. The directory
// decides which disk is measured.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCacheStore } from '../../dist/libs/cache-store/index.js';
import { bench } from './support/bench.mjs';
import { rounded, median } from './support/rounds.mjs';

const CONCURRENCY = 32;
const SMALL = { count: 0, bytes: 16 << 10 };
const LARGE = { count: 0, bytes: 128 << 20 };

let base;
const smallBytes = randomBytes(SMALL.bytes);
const largeChunk = randomBytes(1 << 20);

async function seconds(task) {
  const start = process.hrtime.bigint();
  await task();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

async function concurrently(count, task) {
  let next = 0;
  const lane = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

async function withStore(name, task) {
  const directory = join(base, name);
  const store = await openCacheStore({ directory, capacityBytes: 8 * 2 ** 30 });
  try {
    return await task(store);
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

async function withFolder(task) {
  const folder = join(base, 'plain');
  await mkdir(folder);
  try {
    return await task(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function plainFile(folder, i, sync, write) {
  const temporary = join(folder, `${i}.tmp`);
  const handle = await open(temporary, 'w');
  await write(handle);
  if (sync) await handle.datasync();
  await handle.close();
  await rename(temporary, join(folder, String(i)));
}

const plainSmall = (sync) =>
  withFolder((folder) =>
    seconds(() => concurrently(SMALL.count, (i) => plainFile(folder, i, sync, (handle) => handle.write(smallBytes)))),
  );

const storeSmall = () =>
  withStore('small', async (store) => {
    const path = (i) => `s3://bucket/dataset/part-${i}`;
    const put = await seconds(() =>
      concurrently(SMALL.count, (i) => store.put({ path: path(i), version: '"etag"', jobId: 'job' }, smallBytes)),
    );
    const read = await seconds(() =>
      concurrently(SMALL.count, async (i) => {
        for await (const _ of store.read(path(i)).stream());
      }),
    );
    return { put, read };
  });

const inChunks = async (write) => {
  for (let at = 0; at < LARGE.bytes; at += largeChunk.length) await write(largeChunk);
};

/** File by file in turn: large writes are at the mercy of what the disk is still busy with. */
const large = () =>
  withFolder((folder) =>
    withStore('large', async (store) => {
      const writeToStore = async (i) => {
        const writer = await store.create({ path: `s3://bucket/large-${i}`, version: '"etag"' }, LARGE.bytes);
        await inChunks((chunk) => writer.write(chunk));
        await writer.commit();
      };
      const writePlain = (i) => plainFile(folder, i, true, (handle) => inChunks((chunk) => handle.write(chunk)));
      const times = { store: 0, plain: 0 };
      for (let i = 0; i < LARGE.count; i++) {
        times.store += await seconds(() => writeToStore(i));
        times.plain += await seconds(() => writePlain(i));
      }
      return times;
    }),
  );

await bench({
  title: 'the cache store beside plain files',
  options: { directory: tmpdir(), small: 5000, large: 2, rounds: 2 },
  async run({ directory, small, large: objects, rounds }) {
    base = await mkdtemp(join(directory, 'larder-bench-'));
    SMALL.count = small;
    LARGE.count = objects;
    const runs = { put: [], read: [], synced: [], unsynced: [], storeLarge: [], plainLarge: [] };
    try {
      await writeFile(join(base, 'warm-up'), smallBytes);
      for (let round = 0; round < rounds; round++) {
        const { put, read } = await storeSmall();
        runs.put.push(put);
        runs.read.push(read);
        runs.synced.push(await plainSmall(true));
        runs.unsynced.push(await plainSmall(false));
        const { store, plain } = await large();
        runs.storeLarge.push(store);
        runs.plainLarge.push(plain);
      }
    } finally {
      await rm(base, { recursive: true, force: true });
    }
    const t = Object.fromEntries(Object.entries(runs).map(([name, values]) => [name, median(values)]));
    const largeMb = (LARGE.count * LARGE.bytes) / 1e6;
    const perSecond = (seconds, unit) => `${rounded(SMALL.count / seconds)} ${unit}/s`;
    const mbPerSecond = (seconds) => `${rounded(largeMb / seconds)} MB/s`;
    return {
      columns: [`median of ${rounds} rounds, ${CONCURRENCY} callers`, 'rate', 'store’s ratio'],
      rows: [
        [`store: put ${SMALL.bytes >> 10} KiB, durable`, perSecond(t.put, 'puts'), ''],
        ['plain: write, fdatasync, rename', perSecond(t.synced, 'files'), (t.synced / t.put).toFixed(2)],
        ['plain: write, rename, nothing synced', perSecond(t.unsynced, 'files'), (t.unsynced / t.put).toFixed(2)],
        [`store: read ${SMALL.bytes >> 10} KiB, checksum verified`, perSecond(t.read, 'reads'), ''],
        [`store: write ${LARGE.bytes >> 20} MiB objects, durable`, mbPerSecond(t.storeLarge), ''],
        ['plain: write, fdatasync, rename', mbPerSecond(t.plainLarge), (t.plainLarge / t.storeLarge).toFixed(2)],
      ],
    };
  },
});
