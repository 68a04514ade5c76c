// S3 endpoints for benchmarks: one as it is over a network, and one that is as fast as this machine serves files.
import fs from 'node:fs';
import path from 'node:path';
import { freePorts, s3TestCredentials } from '../../../dist/libs/testing/index.js';
import { isInstalled, startUntil } from './processes.mjs';

const bucket = 'bench';
const storeAt = (endpoint, more) => ({ endpoint, bucket, credentials: s3TestCredentials, ...more });

/** An endpoint with latency, refusals and limits: the options of `network-s3.mjs`. */
export async function networkEndpoint(options) {
  const script = path.join(import.meta.dirname, 'network-s3.mjs');
  const { found, stop } = await startUntil(/listening on (\d+)/, process.execPath, [script, JSON.stringify(options)]);
  const endpoint = `http://127.0.0.1:${found[1]}`;
  return storeAt(endpoint, { stop, stats: async () => (await fetch(`${endpoint}/stats`)).json() });
}

/** Where Debian keeps it, which is often not on a user's PATH. */
const nginxBinary = () => ['nginx', '/usr/sbin/nginx'].find((binary) => isInstalled(binary, ['-v']));

/**
 * A tree of files as a bucket: nginx serves the objects, and a process of Node answers the listings.
 * @returns undefined, with one line, where nginx is not installed
 */
export async function nginxEndpoint(tree, work, { skip }) {
  const nginx = nginxBinary();
  if (nginx === undefined) return void skip('nginx is not installed (`apt-get install nginx-light`)');
  const [port, listPort] = await freePorts(2);
  const directory = fs.mkdtempSync(path.join(work, 'nginx-'));
  fs.mkdirSync(path.join(directory, 'root'));
  fs.symlinkSync(tree.directory, path.join(directory, 'root', bucket));
  const config = path.join(directory, 'nginx.conf');
  fs.writeFileSync(config, nginxConfig(directory, port, listPort));
  const script = path.join(import.meta.dirname, 'listing-server.mjs');
  const keys = path.join(directory, 'keys.json');
  fs.writeFileSync(keys, JSON.stringify(tree.keys));
  const list = await startUntil(/listening/, process.execPath, [
    script,
    bucket,
    tree.directory,
    keys,
    String(listPort),
  ]);
  // The shell prints a line as soon as nginx listens, as nginx itself prints none.
  const untilUp = `"$0" -c "$1" & until curl -so /dev/null http://127.0.0.1:${port}/; do sleep 0.05; done; echo up; wait`;
  const server = await startUntil(/up/, 'sh', ['-c', untilUp, nginx, config]);
  const stop = async () => {
    const pid = Number(fs.readFileSync(path.join(directory, 'nginx.pid'), 'utf8'));
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    process.kill(pid, 'SIGTERM');
    await Promise.all([ended, list.stop()]);
  };
  return storeAt(`http://127.0.0.1:${port}`, { stop });
}

const nginxConfig = (directory, port, listPort) => `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 2;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 10000000;
  open_file_cache max=200000 inactive=600s;
  default_type application/octet-stream;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${directory}/root;
    location = /${bucket} { proxy_pass http://127.0.0.1:${listPort}; }
    location = /${bucket}/ { proxy_pass http://127.0.0.1:${listPort}; }
  }
}
`;
