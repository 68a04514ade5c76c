import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { freePorts } from '../net/index.js';
import { answersWell, InstalledServer } from './installed-server.js';
import type { S3TestCredentials } from './sigv4.js';

const needed = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
const packages = 'ceph-common ceph-mon ceph-osd radosgw';

/**
 * Debian's Ceph Object Gateway on the smallest possible RADOS: one monitor, and one daemon that holds the objects in
 * memory. It listens on free loopback ports.
 */
export class CephServer {
  readonly credentials: S3TestCredentials = { accessKeyId: 'LARDERTESTER', secretAccessKey: 'testing' };
  endpoint = '';
  private readonly processes = new InstalledServer('ceph');

  /** Why it cannot run on this machine, as a sentence, or undefined when it can. */
  static unavailable(): string | undefined {
    return InstalledServer.missing(needed, packages);
  }

  async start(): Promise<void> {
    const { processes } = this;
    await processes.prepare();
    const [monitorPort = 0, gatewayPort = 0, ...daemonPorts] = await freePorts(7);
    const cluster = randomUUID();
    for (const name of ['mon', 'osd', 'rgw', 'run']) await fs.mkdir(processes.at(name));
    const monitor = `[v1:127.0.0.1:${monitorPort}]`;
    const conf = cephConf({ cluster, monitor, gatewayPort, daemonPorts, directory: processes.directory });
    await fs.writeFile(processes.at('ceph.conf'), conf);
    await this.startStorage(cluster, monitor);
    const { accessKeyId, secretAccessKey } = this.credentials;
    const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey];
    await this.ask('radosgw-admin', ['-n', 'client.rgw', 'user', 'create', '--uid=t', '--display-name=t', ...keys]);
    processes.spawn('radosgw', this.with(['-n', 'client.rgw', '-f']));
    this.endpoint = `http://127.0.0.1:${gatewayPort}`;
    await processes.until(() => answersWell(this.endpoint));
  }

  async stop(): Promise<void> {
    await this.processes.stop();
  }

  private async startStorage(cluster: string, monitor: string): Promise<void> {
    const { processes } = this;
    const map = processes.at('monmap');
    await processes.command('monmaptool', ['--create', '--addv', 'a', monitor, '--fsid', cluster, map]);
    await this.ask('ceph-mon', ['--mkfs', '-i', 'a', '--monmap', map]);
    processes.spawn('ceph-mon', this.with(['-i', 'a', '-f']));
    const daemon = randomUUID();
    await this.tellMonitor(['osd', 'new', daemon]);
    await this.tellMonitor(['osd', 'crush', 'add', 'osd.0', '1', 'root=default', 'host=localhost']);
    await this.ask('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', daemon]);
    processes.spawn('ceph-osd', this.with(['-i', '0', '-f']));
    await processes.until(async () => (await this.ask('ceph', ['osd', 'stat'])).includes('1 up'));
  }

  /** Repeats a command that may be repeated, while the monitor is still being elected. */
  private tellMonitor(args: string[]): Promise<void> {
    return this.processes.until(async () => {
      try {
        await this.ask('ceph', args);
        return true;
      } catch (error) {
        if (String(error).includes('problem getting command descriptions from mon')) return false;
        throw error;
      }
    });
  }

  private ask(name: string, args: string[]): Promise<string> {
    return this.processes.command(name, this.with(args));
  }

  private with(args: string[]): string[] {
    return ['-c', this.processes.at('ceph.conf'), ...args];
  }
}

interface CephLayout {
  cluster: string;
  monitor: string;
  gatewayPort: number;
  /** Several, because the storage daemon listens on more than one. */
  daemonPorts: number[];
  directory: string;
}

function cephConf({ cluster, monitor, gatewayPort, daemonPorts, directory }: CephLayout): string {
  return `[global]
fsid = ${cluster}
mon host = ${monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
# The daemon is put into the CRUSH map by a command: a daemon that asks for it before it has heard which cluster this is
# is refused ("wrong fsid") and ends.
osd crush update on start = false
osd class update on start = false
osd objectstore = memstore
memstore device bytes = 1073741824
admin socket = ${directory}/run/$name.asok
run dir = ${directory}/run
pid file = ${directory}/run/$name.pid
log file = ${directory}/$name.log
mon cluster log file = ${directory}/cluster.log
mon data = ${directory}/mon
osd data = ${directory}/osd
ms bind port min = ${Math.min(...daemonPorts)}
ms bind port max = ${Math.max(...daemonPorts)}
[client.rgw]
rgw data = ${directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
rgw dns name = 127.0.0.1
`;
}
