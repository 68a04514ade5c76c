import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePorts } from '../net/index.js';
import type { S3TestCredentials } from './sigv4.js';

const run = promisify(execFile);
const kinds = ['account', 'container', 'object'] as const;
const needed = [
  ...kinds.map((kind) => `swift-${kind}-server`),
  'swift-proxy-server',
  'swift-ring-builder',
  'memcached',
];
const packages = 'swift-proxy swift-account swift-container swift-object memcached';
const startWithinMs = 60_000;

/**
 * Debian's OpenStack Swift with its S3 interface (s3api, tempauth): an S3 server that nobody of this project wrote.
 * Everything it has, configuration and rings included, lies in a temporary directory; it listens on free loopback
 * ports, and nothing of an installed Swift service is touched.
 */
export class SwiftServer {
  readonly credentials: S3TestCredentials = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };
  endpoint = '';

  private directory = '';
  private readonly children: ChildProcess[] = [];
  private output = '';

  /** Why it cannot run on this machine, as a sentence, or undefined when it can. */
  static unavailable(): string | undefined {
    const missing = needed.filter((name) => findExecutable(name) === undefined);
    if (missing.length === 0) return undefined;
    return `${missing.join(', ')} not found; to run it: apt-get install --no-install-recommends ${packages}`;
  }

  async start(): Promise<void> {
    this.directory = await fs.mkdtemp(path.join(os.tmpdir(), 'larder-swift-'));
    const [proxyPort = 0, memcachedPort = 0, ...storagePorts] = await freePorts(2 + kinds.length);
    await fs.writeFile(this.at('swift.conf'), swiftConf);
    for (const [index, kind] of kinds.entries()) {
      const port = storagePorts[index] ?? 0;
      await this.buildRing(kind, port);
      await fs.writeFile(this.at(`${kind}-server.conf`), storageConf(kind, port, this.directory));
    }
    await fs.mkdir(this.at('devices/d1'), { recursive: true });
    await fs.writeFile(this.at('proxy-server.conf'), proxyConf(proxyPort, memcachedPort, this.directory));
    const memcachedArguments = [
      '-l',
      '127.0.0.1',
      '-p',
      String(memcachedPort),
      '-U',
      '0',
      '-m',
      '16',
      '-u',
      userName(),
    ];
    this.spawn('memcached', memcachedArguments);
    for (const kind of [...kinds, 'proxy']) this.spawn(`swift-${kind}-server`, [this.at(`${kind}-server.conf`), '-v']);
    this.endpoint = `http://127.0.0.1:${proxyPort}`;
    await this.untilHealthy([proxyPort, ...storagePorts]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map(endChild));
    if (this.directory !== '') await fs.rm(this.directory, { recursive: true, force: true });
  }

  private at(name: string): string {
    return path.join(this.directory, name);
  }

  private async buildRing(kind: string, port: number): Promise<void> {
    const builder = this.at(`${kind}.builder`);
    const ring = findExecutable('swift-ring-builder') ?? '';
    await run(ring, [builder, 'create', '4', '1', '1']);
    await run(ring, [builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '100']);
    await run(ring, [builder, 'rebalance']);
  }

  private spawn(name: string, args: string[]): void {
    const child = spawn(findExecutable(name) ?? name, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.output = `${this.output}${name}: ${text.toString()}`.slice(-4000);
      });
    }
    this.children.push(child);
  }

  private async untilHealthy(ports: number[]): Promise<void> {
    const deadline = Date.now() + startWithinMs;
    for (const port of ports) {
      while (!(await isHealthy(port))) {
        const ended = this.children.find((child) => child.exitCode !== null);
        if (ended !== undefined || Date.now() > deadline) {
          await this.stop();
          throw new Error(`Swift did not start (${ended?.spawnfile ?? 'in time'}): ${this.output}`);
        }
        await delay(50);
      }
    }
  }
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthcheck`)).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(late);
}

/** Searches the system's directories too: an ordinary user's PATH lacks `sbin`. */
function findExecutable(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', '/usr/sbin'];
  return directories.map((directory) => path.join(directory, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // No such file, or not for us.
    return false;
  }
}

function userName(): string {
  return os.userInfo().username;
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
user = ${userName()}
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
user = ${userName()}
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
