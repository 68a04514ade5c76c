// Walks over a bucket whose pages take 100 ms, as a mount lists it, against one page after another. Needs a build.
//
//   node test/bench/listing.mjs [--files 200000] [--list-ms 100]
//
// The walk of one page after another is bound by the store's time for a page, so one of them stands for all shapes.
import path from 'node:path';
import { S3Connector } from '../../dist/libs/ufs/s3/s3-connector.js';
import { BucketListing } from '../../dist/libs/ufs/s3/bucket-listing.js';
import { S3Client } from '../../dist/libs/ufs/s3/s3-client.js';
import { s3Settings } from '../../dist/libs/ufs/s3/s3-settings.js';
import { bench } from './support/bench.mjs';
import { startUntil } from './support/processes.mjs';
import { rounded } from './support/rounds.mjs';

const tuning = { idleTimeoutMs: 30_000, connectTimeoutMs: 5000, maxConnections: 64 };
const shapes = ['one-directory', 'ten-directories', 'thousand-directories', 'flat-hexadecimal'];

/** All pages of a listing. @returns how long they took, and how many keys they had; fails where one is out of order */
async function walk(list) {
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()];
  let [keys, before] = [0, ''];
  for (let after; ;) {
    const page = await list(after);
    for (const { path: key } of page.objects) {
      if (key <= before) throw new Error(`${key} comes after ${before}`);
      before = key;
    }
    keys += page.objects.length;
    if (page.next === undefined) break;
    after = page.next;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { keys, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
}

await bench({
  title: 'listings of a bucket over a network, against one page after another',
  options: { files: 200_000, 'list-ms': 100 },
  run: async ({ files, 'list-ms': listMs }, { progress }) => {
    const script = path.join(import.meta.dirname, 'support/generated-s3.mjs');
    const settings = JSON.stringify({ files, listMs });
    const { found, stop } = await startUntil(/listening on (\d+)/, process.execPath, [script, settings]);
    const endpoint = `http://127.0.0.1:${found[1]}`;
    const lists = async () => (await (await fetch(`${endpoint}/stats`)).json()).lists;
    const measure = async (list) => {
      const before = await lists();
      const result = await walk(list);
      if (result.keys !== files) throw new Error(`The walk gave ${result.keys} keys of ${files}.`);
      return { ...result, requests: (await lists()) - before };
    };
    try {
      const rows = [];
      const row = (shape, who, { seconds, cpuSeconds, requests }, plain) =>
        rows.push([
          shape,
          who,
          `${rounded(seconds, 1)} s`,
          requests.toLocaleString('en-US'),
          `${rounded((cpuSeconds / files) * 1e6, 1)} µs`,
          plain === undefined ? '' : rounded(plain.seconds / seconds, 1),
        ]);

      const bucket = shapes[0];
      progress('one page after another');
      const location = { ufs: `s3://${bucket}/`, options: { endpoint } };
      const client = new S3Client(s3Settings(location), tuning);
      const alone = new BucketListing({ client, bucket, isUnordered: false, findExact: async () => undefined });
      const plain = await measure((after) => alone.list(`s3://${bucket}/`, '', after === undefined ? {} : { after }));
      alone.close();
      await client.close();
      row(bucket, 'one page after another', plain);

      for (const shape of shapes) {
        progress(shape);
        const connector = new S3Connector({ ufs: `s3://${shape}/`, options: { endpoint } }, tuning);
        const list = (after) => connector.list(`s3://${shape}/`, after === undefined ? {} : { after });
        row(shape, 'Larder', await measure(list), plain);
        await connector.close();
      }
      const caption = `${files.toLocaleString('en-US')} keys, ${listMs} ms a page`;
      return { caption, columns: ['keys', 'walk', 'time', 'requests', 'CPU a key', 'ratio'], rows };
    } finally {
      await stop();
    }
  },
});
