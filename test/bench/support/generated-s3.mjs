// An S3 endpoint whose keys are made up from their numbers, so that its memory does not depend on how many there are. Each page
// of a listing takes a while. It checks no signature and serves listings only.
//
//   node test/bench/support/generated-s3.mjs '{"files":1000000,"listMs":100}'
//
// The bucket's name says the shape of its keys: see `shapes`. Prints one line, `listening on <port>`, and answers a GET of
// /stats with its counts as JSON.
import http from 'node:http';
import { listingOf } from './s3-listing.mjs';

const options = { files: 1_000_000, listMs: 100, ...JSON.parse(process.argv[2] ?? '{}') };
const { files, listMs } = options;
const digits = (number, length) => String(number).padStart(length, '0');
const inDirectories = (count) => {
  const each = Math.ceil(files / count);
  return (i) => `logs/${digits(Math.floor(i / each), 4)}/part-${digits(i % each, 9)}.bin`;
};
/** Within [0, 1), always the same for a number. */
const drawn = (i) => (Math.imul(i + 1, 2654435761) >>> 0) / 2 ** 32;

/** The key of each number, in the order of a listing. */
const shapes = {
  'one-directory': inDirectories(1),
  'ten-directories': inDirectories(10),
  'thousand-directories': inDirectories(1000),
  // As hashes are: without a counter, and not evenly spread.
  'flat-hexadecimal': (i) => Math.floor(((i + drawn(i)) * 2 ** 48) / files).toString(16).padStart(12, '0'), // prettier-ignore
};
const madeUp = (keyOf) =>
  new Proxy(
    {},
    { get: (_, name) => (name === 'length' ? files : Number(name) < files ? keyOf(Number(name)) : undefined) },
  );
const modified = new Date(0);
const listings = Object.fromEntries(
  Object.entries(shapes).map(([bucket, keyOf]) => [
    bucket,
    listingOf(bucket, madeUp(keyOf), (key) => ({ sizeBytes: 1000, etag: `"${key}"`, modified })).list,
  ]),
);

const stats = { lists: 0, underWay: 0, mostUnderWay: 0 };
const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname === '/stats') return void response.end(JSON.stringify(stats));
  const list = listings[pathname.split('/')[1]];
  if (list === undefined) return void response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
  stats.lists++;
  stats.mostUnderWay = Math.max(stats.mostUnderWay, ++stats.underWay);
  setTimeout(() => {
    stats.underWay--;
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(list(searchParams));
  }, listMs);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
