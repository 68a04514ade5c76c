// An S3 endpoint as it is over a network, for benchmarks: time to the first byte, pages of a listing that take long, a rate
// for each connection, refusals. It makes its objects up, so that neither a disk nor their number limits it. It checks no
// signature, and it serves what its keys say: `small/<directory>/<number>` and `large/<number>`.
//
//   node test/bench/support/network-s3.mjs '{"small":50000,"smallBytes":16384,"ttfbMs":30}'
//
// Prints one line, `listening on <port>`, and then, for each GET of /stats, its counts as JSON.
import { createHash } from 'node:crypto';
import http from 'node:http';
import { listingOf } from './s3-listing.mjs';

const options = {
  bucket: 'bench',
  small: 0,
  smallBytes: 16 * 1024,
  directories: 100,
  large: 0,
  largeBytes: 1024 ** 3,
  ttfbMs: 30,
  listMs: 100,
  /** Bytes a second over one connection; 0: unlimited. */
  connectionRate: 60e6,
  /** Share of requests for objects that is answered 503 SlowDown. */
  refused: 0.01,
  /** Requests for objects a second; beyond, 503 SlowDown. 0: unlimited. */
  requestRate: 0,
  ...JSON.parse(process.argv[2] ?? '{}'),
};

const stats = { gets: 0, lists: 0, refused: 0, underWay: 0, mostUnderWay: 0, bytes: 0 };
const block = Buffer.alloc(1024 * 1024);
for (let i = 0; i < block.length; i += 4) block.writeUInt32LE(Math.imul(i + 1, 2654435761) >>> 0, i);

/** All keys with their sizes, in the order of a listing. */
const keys = [
  ...Array.from({ length: options.large }, (_, i) => `large/${String(i).padStart(6, '0')}`),
  ...Array.from({ length: options.small }, (_, i) => {
    const directory = Math.floor((i * options.directories) / options.small);
    return `small/${String(directory).padStart(5, '0')}/${String(i).padStart(9, '0')}`;
  }),
];
const sizeOf = (key) => (key.startsWith('large/') ? options.largeBytes : options.smallBytes);
const etagOf = (key) => `"${createHash('md5').update(key).digest('hex')}"`;
const modified = new Date('2026-01-02T03:04:05Z');
const { at, list } = listingOf(options.bucket, keys, (key) => ({
  sizeBytes: sizeOf(key),
  etag: etagOf(key),
  modified,
}));

const refusal =
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';

let second = 0;
let inSecond = 0;
function isRefused() {
  if (options.requestRate > 0) {
    const now = Math.floor(performance.now() / 100);
    if (now !== second) [second, inSecond] = [now, 0];
    if (++inSecond > options.requestRate / 10) return true;
  }
  return Math.random() < options.refused;
}

/** Sends `length` bytes no faster than the rate of a connection. */
function send(response, length) {
  let sent = 0;
  const startMs = performance.now();
  const more = () => {
    while (sent < length) {
      if (response.destroyed) return;
      if (options.connectionRate > 0) {
        const aheadMs = (sent / options.connectionRate) * 1000 - (performance.now() - startMs);
        if (aheadMs > 1) return void setTimeout(more, aheadMs);
      }
      const bytes = Math.min(block.length, length - sent, 256 * 1024);
      sent += bytes;
      stats.bytes += bytes;
      if (!response.write(block.subarray(0, bytes))) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

function object(request, response, key) {
  if (at(key) < 0) {
    response.writeHead(404, { 'content-type': 'application/xml' });
    return response.end('<Error><Code>NoSuchKey</Code></Error>');
  }
  if (isRefused()) {
    stats.refused++;
    response.writeHead(503, { 'content-type': 'application/xml' });
    return response.end(refusal);
  }
  const size = sizeOf(key);
  const etag = etagOf(key);
  const wanted = request.headers['if-match'];
  if (wanted !== undefined && wanted.replaceAll('"', '') !== etag.replaceAll('"', '')) {
    response.writeHead(412);
    return response.end();
  }
  const headers = { etag, 'last-modified': modified.toUTCString(), 'accept-ranges': 'bytes' };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(first ?? 0);
  const end = Math.min(last ? Number(last) : size - 1, size - 1);
  const length = end - start + 1;
  headers['content-length'] = length;
  if (first !== undefined) headers['content-range'] = `bytes ${start}-${end}/${size}`;
  response.writeHead(first === undefined ? 200 : 206, headers);
  if (request.method === 'HEAD') return response.end();
  stats.gets++;
  if (length <= block.length) {
    stats.bytes += length;
    return response.end(block.subarray(0, length));
  }
  return send(response, length);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/stats') {
    response.end(JSON.stringify(stats));
    return;
  }
  const key = decodeURIComponent(url.pathname.slice(1 + options.bucket.length + 1));
  stats.underWay++;
  stats.mostUnderWay = Math.max(stats.mostUnderWay, stats.underWay);
  response.once('close', () => stats.underWay--);
  if (key === '') {
    stats.lists++;
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(list(url.searchParams));
    }, options.listMs);
  } else setTimeout(() => object(request, response, key), options.ttfbMs);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
