// Answers listings of a directory whose files nginx serves. ETags are those that nginx gives.
//
//   node test/bench/support/listing-server.mjs BUCKET DIRECTORY KEYS.json PORT
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { listingOf } from './s3-listing.mjs';

const [bucket, directory, keysFile, port] = process.argv.slice(2);
const keys = JSON.parse(fs.readFileSync(keysFile, 'utf8'));
/** Once for all listings: the peers' listings and Larder's then cost the same. */
const known = new Map(
  keys.map((key) => {
    const { size, mtime } = fs.statSync(path.join(directory, key));
    const modified = new Date(Math.floor(mtime.getTime() / 1000) * 1000);
    return [
      key,
      { sizeBytes: size, modified, etag: `"${(modified.getTime() / 1000).toString(16)}-${size.toString(16)}"` },
    ];
  }),
);
const { list } = listingOf(bucket, keys, (key) => known.get(key));

http
  .createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://localhost');
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(request.method === 'HEAD' ? '' : list(searchParams));
  })
  .listen(Number(port), '127.0.0.1', () => console.log('listening'));
