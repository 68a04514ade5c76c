// Other tools that copy from S3. A tool that is missing is left out with one line.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { isInstalled, timed } from './processes.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const peersDirectory = path.join(root, '.cache/bench-peers');

/** Both tools must not see this project's setting for certificates. */
function environment(more) {
  const { AWS_CA_BUNDLE: _, ...env } = process.env;
  return { ...env, ...more };
}

/** `copy(store, target, options)` with rclone; undefined where it is not installed. */
export function rclone({ skip }) {
  if (!isInstalled('rclone', ['version'])) return void skip('rclone is not installed (`apt-get install rclone`)');
  return async ({ endpoint, credentials, bucket, prefix = '' }, target, { transfers, streams = 4 }) => {
    const config = `${target}.conf`;
    fs.writeFileSync(
      config,
      `[l]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\naccess_key_id = ${credentials.accessKeyId}\n` +
        `secret_access_key = ${credentials.secretAccessKey}\nregion = us-east-1\nforce_path_style = true\nlist_version = 2\n`,
    );
    const how = ['--transfers', String(transfers), '--checkers', String(transfers), '--ignore-checksum'];
    const parts = ['--multi-thread-streams', String(streams), '--multi-thread-cutoff', '16M'];
    const s3 = ['--config', config, '--s3-no-head-object', '--use-server-modtime', '-q'];
    return timed('rclone', [...s3, ...how, ...parts, 'copy', `l:${bucket}/${prefix}`, target], { env: environment() });
  };
}

/** The same with s5cmd, which is built once into .cache where Go and its module proxy can be reached. */
export function s5cmd({ skip, progress }) {
  const binary = path.join(peersDirectory, 's5cmd');
  if (!fs.existsSync(binary)) {
    if (!isInstalled('go', ['version'])) return void skip('s5cmd is not built: there is no `go`');
    fs.mkdirSync(peersDirectory, { recursive: true });
    progress('building s5cmd into .cache');
    const env = { ...process.env, GOBIN: peersDirectory };
    const args = ['install', 'github.com/peak/s5cmd/v2@latest'];
    const { status, stderr } = spawnSync('go', args, { env, cwd: peersDirectory, encoding: 'utf8', timeout: 300_000 });
    if (status !== 0) {
      const [why = 'no message'] = String(stderr).trim().split('\n').reverse();
      return void skip(`s5cmd cannot be built (${why.trim().replace(/\.$/, '')})`);
    }
  }
  return async ({ endpoint, credentials, bucket, prefix = '' }, target, { transfers, streams = 5 }) => {
    const keys = { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey };
    const env = environment({ ...keys, AWS_REGION: 'us-east-1' });
    const how = ['--endpoint-url', endpoint, '--numworkers', String(transfers), '--log', 'error'];
    return timed(binary, [...how, 'cp', '--concurrency', String(streams), `s3://${bucket}/${prefix}*`, `${target}/`], {
      env,
    });
  };
}

let copies = 0;

/** Runs a copy into a new directory below `work`, which is removed afterwards; its removal is not timed. */
export async function intoFresh(work, copy) {
  const target = path.join(work, `copy-${copies++}`);
  try {
    return await copy(target);
  } finally {
    fs.rmSync(target, { recursive: true, force: true });
  }
}
