// One bucket of large objects, served by nginx (`apt-get install nginx-light`): an endpoint that costs next to nothing, so
// that the client is what is measured. The listing is a static file; nginx answers GET, HEAD, ranges and If-Match.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

export const hasNginx = () => spawnSync('nginx', ['-v']).error === undefined;

/** As nginx makes it of a file. */
const etagOf = ({ mtimeMs, size }) => `${Math.floor(mtimeMs / 1000).toString(16)}-${size.toString(16)}`;

function listing(bucket, directory) {
  const contents = fs
    .readdirSync(directory)
    .sort()
    .map((name) => {
      const stats = fs.statSync(path.join(directory, name));
      const modified = new Date(Math.floor(stats.mtimeMs / 1000) * 1000).toISOString();
      return (
        `<Contents><Key>${name}</Key><LastModified>${modified}</LastModified><ETag>&quot;${etagOf(stats)}&quot;</ETag>` +
        `<Size>${stats.size}</Size><StorageClass>STANDARD</StorageClass></Contents>`
      );
    });
  return (
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `<Name>${bucket}</Name><Prefix></Prefix><KeyCount>${contents.length}</KeyCount><MaxKeys>1000</MaxKeys>` +
    `<IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`
  );
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** @param directory at most 1,000 files, and no directories */
export async function startNginxS3(bucket, directory, work) {
  fs.writeFileSync(path.join(work, 'list.xml'), listing(bucket, directory));
  fs.symlinkSync(directory, path.join(work, bucket));
  const port = await freePort();
  const config = path.join(work, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${work}/${name};`)
    .join(' ');
  fs.writeFileSync(
    config,
    `user root; worker_processes 1; daemon off; pid ${work}/nginx.pid; error_log ${work}/error.log;
     events { worker_connections 1024; }
     http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; ${temporary}
       server { listen 127.0.0.1:${port};
         location ~ ^/${bucket}/?$ { default_type application/xml; root ${work}; try_files /list.xml =404; }
         location /${bucket}/ { root ${work}; } } }`,
  );
  const child = spawn('nginx', ['-e', path.join(work, 'error.log'), '-c', config], { stdio: 'inherit' });
  const endpoint = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${endpoint}/${bucket}/`).catch(() => undefined);
    if (answer?.ok) break;
    if (tries === 100) throw new Error('nginx does not answer');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { endpoint, stop: () => new Promise((resolve) => (child.once('exit', resolve), child.kill('SIGTERM'))) };
}
