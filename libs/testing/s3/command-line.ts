import { parseArgs } from 'node:util';
import { S3TestServer } from './s3-test-server.js';

/**
 * Starts the S3 test server that a command line describes; main.ts says how it reads.
 * @param print gets `listening <endpoint>` when the server is ready
 */
export async function startFromCommandLine(
  args: string[],
  env: NodeJS.ProcessEnv,
  print: (line: string) => void,
): Promise<S3TestServer> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string', default: env['S3_PORT'] ?? '0' },
      host: { type: 'string', default: '127.0.0.1' },
      region: { type: 'string', default: 'us-east-1' },
      anonymous: { type: 'boolean', default: false },
      bucket: { type: 'string', multiple: true, default: [] },
      directory: { type: 'string', multiple: true, default: [] },
      generate: { type: 'string', multiple: true, default: [] },
    },
  });
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
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
  const { endpoint } = await server.start();
  print(`listening ${endpoint}`);
  return server;
}

function split(assignment: string): [string, string] {
  const at = assignment.indexOf('=');
  if (at < 1) throw new Error(`expected NAME=VALUE, got ${assignment}`);
  return [assignment.slice(0, at), assignment.slice(at + 1)];
}
