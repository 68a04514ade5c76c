import { startFromCommandLine } from './command-line.js';

/**
 * The S3 test server as a process of its own, for benchmarks and tests of several processes. Prints
 * `listening <endpoint>` on standard output when it is ready, and ends on SIGTERM or SIGINT.
 *
 *   node dist/libs/testing/s3/main.js [--port N] [--host H] [--region R] [--anonymous]
 *     [--bucket NAME]… [--directory NAME=DIR]… [--generate NAME=COUNTxBYTES]…
 *
 * The credentials come from S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, so that process lists do not show them.
 */
async function main(): Promise<void> {
  const server = await startFromCommandLine(process.argv.slice(2), process.env, console.log);
  const stop = (): void => void server.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

void main();
