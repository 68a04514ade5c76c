import { parseArgs } from 'node:util';
import { S3TestServer } from './s3-test-server.js';

/**
 * The S3 test server as a process of its own, for benchmarks and tests of several processes. Prints
 * `listening <endpoint>` on standard output when it is ready, and ends on SIGTERM or SIGINT.
 *
 *   node dist/libs/testing/s3/main.js [--port N] [--host H] [--region R] [--anonymous]
 *     [--bucket NAME]… [--directory NAME=DIR]… [--generate NAME=COUNTxBYTES]…
 *
 * The credentials come from S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, so that no process list shows them.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: process.env['S3_PORT'] ?? '0' },
      host: { type: 'string', default: '127.0.0.1' },
      region: { type: 'string', default: 'us-east-1' },
      anonymous: { type: 'boolean', default: false },
      bucket: { type: 'string', multiple: true, default: [] },
      directory: { type: 'string', multiple: true, default: [] },
      generate: { type: 'string', multiple: true, default: [] },
    },
  });
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  const server = new S3TestServer({
    port: Number(values.port),
    host: values.host,
    region: values.region,
    allowAnonymous: values.anonymous,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
  });
  for (const name of values.bucket) server.createBucket(name);
  for (const assignment of values.directory) {
    const [name, directory] = split(assignment);
    server.serveDirectory(name, directory);
  }
  for (const assignment of values.generate) {
    const [name, shape] = split(assignment);
    const [count = 0, sizeBytes = 0] = shape.split('x').map(Number);
    server.createBucket(name);
    for (let index = 0; index < count; index++) {
      server.generate(name, `generated/${String(index % 100).padStart(2, '0')}/${index}.bin`, sizeBytes, index);
    }
  }
  const stop = (): void => void server.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const { endpoint } = await server.start();
  console.log(`listening ${endpoint}`);
}

function split(assignment: string): [string, string] {
  const at = assignment.indexOf('=');
  if (at < 1) throw new Error(`expected NAME=VALUE, got ${assignment}`);
  return [assignment.slice(0, at), assignment.slice(at + 1)];
}

void main();
