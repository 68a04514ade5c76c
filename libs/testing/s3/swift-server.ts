import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { freePorts } from '../net/index.js';
import { answersWell, InstalledServer } from './installed-server.js';
import type { S3TestCredentials } from './sigv4.js';

const kinds = ['account', 'container', 'object'] as const;
const needed = [
  ...kinds.map((kind) => `swift-${kind}-server`),
  'swift-proxy-server',
  'swift-ring-builder',
  'memcached',
];
const packages = 'swift-proxy swift-account swift-container swift-object memcached';

/** Debian's OpenStack Swift with its S3 interface (s3api, tempauth), on free loopback ports. */
export class SwiftServer {
  readonly credentials: S3TestCredentials = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };
  endpoint = '';
  private readonly processes = new InstalledServer('swift');

  /** Why it cannot run on this machine, as a sentence, or undefined when it can. */
  static unavailable(): string | undefined {
    return InstalledServer.missing(needed, packages);
  }

  async start(): Promise<void> {
    const { processes } = this;
    await processes.prepare();
    const { directory } = processes;
    const [proxyPort = 0, memcachedPort = 0, ...storagePorts] = await freePorts(2 + kinds.length);
    await fs.writeFile(processes.at('swift.conf'), swiftConf);
    for (const [index, kind] of kinds.entries()) {
      const port = storagePorts[index] ?? 0;
      await this.buildRing(kind, port);
      await fs.writeFile(processes.at(`${kind}-server.conf`), storageConf(kind, port, directory));
    }
    await fs.mkdir(processes.at('devices/d1'), { recursive: true });
    await fs.writeFile(processes.at('proxy-server.conf'), proxyConf(proxyPort, memcachedPort, directory));
    const user = os.userInfo().username;
    processes.spawn('memcached', [
      ...['-l', '127.0.0.1', '-p', String(memcachedPort)],
      ...['-U', '0', '-m', '16', '-u', user],
    ]);
    for (const kind of [...kinds, 'proxy']) {
      processes.spawn(`swift-${kind}-server`, [processes.at(`${kind}-server.conf`), '-v']);
    }
    this.endpoint = `http://127.0.0.1:${proxyPort}`;
    for (const port of [proxyPort, ...storagePorts]) {
      await processes.until(() => answersWell(`http://127.0.0.1:${port}/healthcheck`));
    }
  }

  async stop(): Promise<void> {
    await this.processes.stop();
  }

  private async buildRing(kind: string, port: number): Promise<void> {
    const builder = this.processes.at(`${kind}.builder`);
    await this.processes.command('swift-ring-builder', [builder, 'create', '4', '1', '1']);
    await this.processes.command('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '100']);
    await this.processes.command('swift-ring-builder', [builder, 'rebalance']);
  }
}

const swiftConf = `[swift-hash]
swift_hash_path_suffix = larder
swift_hash_path_prefix = larder
[storage-policy:0]
name = default
default = yes
`;

function storageConf(kind: string, port: number, directory: string): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${os.userInfo().username}
swift_dir = ${directory}
devices = ${directory}/devices
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
workers = 0
[pipeline:main]
pipeline = healthcheck ${kind}-server
[app:${kind}-server]
use = egg:swift#${kind}
[filter:healthcheck]
use = egg:swift#healthcheck
`;
}

function proxyConf(port: number, memcachedPort: number, directory: string): string {
  return `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${os.userInfo().username}
swift_dir = ${directory}
workers = 0
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${memcachedPort}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
`;
}
