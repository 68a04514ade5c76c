// An S3 endpoint that lists any number of objects and holds none of them. It makes each page of a listing up from the token of
// the page before, so its memory does not depend on their number. It checks no signature and serves listings only.
//
//   node test/bench/support/listing-s3.mjs '{"files":1000000}'
//
// Prints one line, `listening on <port>`. The bucket's name may say the number: `files-1000` has 1,000 objects.
import http from 'node:http';

const options = { files: 1_000_000, ...JSON.parse(process.argv[2] ?? '{}') };
const pageKeys = 1000;
const digits = 9;
const directoryFiles = 10_000;

/** `0000012/000123456`: directories of ten thousand, and keys in the order of their numbers. */
export const keyOf = (n) =>
  `${String(Math.floor(n / directoryFiles)).padStart(digits - 4, '0')}/${String(n).padStart(digits, '0')}`;

function numberAfter(text) {
  const found = /(\d+)$/.exec(text ?? '');
  return found ? Number(found[1]) + 1 : 0;
}

function list(bucket, query) {
  const files = Number(/-(\d+)$/.exec(bucket)?.[1] ?? options.files);
  const from = numberAfter(query.get('continuation-token') ?? query.get('start-after'));
  const to = Math.min(from + Math.min(Number(query.get('max-keys') ?? pageKeys), pageKeys), files);
  let entries = '';
  for (let n = from; n < to; n++) {
    entries += `<Contents><Key>${keyOf(n)}</Key><ETag>"${n}"</ETag><Size>1000</Size></Contents>`;
  }
  const more = to < files;
  return (
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><KeyCount>${to - from}</KeyCount><IsTruncated>${more}</IsTruncated>` +
    (more ? `<NextContinuationToken>${keyOf(to - 1)}</NextContinuationToken>` : '') +
    `${entries}</ListBucketResult>`
  );
}

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const [, bucket, ...key] = pathname.split('/');
  if (key.join('') !== '') return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(list(bucket, searchParams));
});
server.keepAliveTimeout = 60_000;
// A test that is killed takes its endpoint along.
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
