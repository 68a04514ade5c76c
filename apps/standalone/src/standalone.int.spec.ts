import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { until } from '#async';
import { commandLineOf, isRunning } from '#process';
import { temporaryDirectory } from './spec-support/temporary-directory.js';
import { runStandalone } from './standalone.js';

/** A fake coordinator. It is ready as soon as it listens, and counts the workers that left a mark. */
const coordinator = `
import fs from 'node:fs';
import http from 'node:http';
const marks = process.env.MARKS;
http.createServer((request, response) => {
  const result = fs.readdirSync(marks).map((identity) => ({ identity, address: request.headers.host, status: 'ONLINE' }));
  response.end(request.url === '/readyz' ? '' : JSON.stringify({ result }));
}).listen(Number(process.env.LARDER_PORT), process.env.LARDER_HOST ?? '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
`;
const worker = `
import fs from 'node:fs';
fs.writeFileSync(process.env.MARKS + '/' + process.env.LARDER_CACHE_DIR.split('/').at(-1), String(process.pid));
setInterval(() => {}, 1000);
process.on('SIGTERM', () => process.exit(0));
`;

describe('runStandalone', () => {
  const directory = temporaryDirectory();
  let dataDir: string;
  let said: string[];
  let stop: AbortController;

  beforeEach(() => {
    dataDir = path.join(directory.path, 'data');
    fs.mkdirSync(path.join(directory.path, 'marks'));
    said = [];
    stop = new AbortController();
  });

  function run(env: Record<string, string> = {}, workerSource = worker): Promise<number> {
    return runStandalone({
      env: {
        PATH: process.env.PATH,
        MARKS: path.join(directory.path, 'marks'),
        LARDER_DATA_DIR: dataDir,
        LARDER_PORT: '0',
        // An external NATS, so that none is started: these processes do not use it.
        LARDER_NATS_URL: 'nats://127.0.0.1:1',
        ...env,
      },
      root: directory.path,
      scripts: {
        natsHost: '',
        coordinator: directory.write('coordinator.mjs', coordinator),
        worker: directory.write('worker.mjs', workerSource),
        balancer: '',
      },
      stop: stop.signal,
      kill: new AbortController().signal,
      say: (line) => said.push(line),
    });
  }

  const up = () => until(() => said.some((line) => line.includes('Larder is up')));

  it('starts a cluster, prints its addresses, and stops all of it on demand', async () => {
    const ended = run({ LARDER_COORDINATORS: '2' });
    await up();
    const welcome = said.at(-1)!;
    const urls = welcome.match(/http:\/\/127\.0\.0\.1:\d+(?=\/api\/v1[,\n])/g)!;
    expect(new Set(urls).size).toBe(2);
    expect(welcome).toMatch(/Workers: 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+\./);
    const pids = fs.readdirSync(path.join(dataDir, 'run')).map((file) => {
      const { pid } = JSON.parse(fs.readFileSync(path.join(dataDir, 'run', file), 'utf8')) as { pid: number };
      return pid;
    });
    expect(pids).toHaveLength(4);
    expect(commandLineOf(pids[0])).toContain(`--supervised=${dataDir}`);

    stop.abort();
    await expect(ended).resolves.toBe(0);
    expect(pids.filter((pid) => isRunning(pid, dataDir))).toEqual([]);
    expect(fs.readdirSync(dataDir).sort()).toEqual(['logs', 'nats', 'run', 'secrets.json']);
    expect(fs.readdirSync(path.join(dataDir, 'run'))).toEqual([]);
  });

  it('also stops before the cluster is up', async () => {
    const ended = run({}, 'setInterval(() => {}, 1000);');
    await until(() => said.some((line) => line.startsWith('Waiting for 1 coordinator')));
    stop.abort();
    await expect(ended).resolves.toBe(0);
  });

  it('stops as a whole when one process refuses to run, and prints that process’s error', async () => {
    await expect(run({}, `console.error('No room in the cache directory.'); process.exit(78);`)).resolves.toBe(78);
    // Both refuse at once: one is named, and the other's own line may come before or after that.
    const refusal = /^worker-[12] refuses to run: No room in the cache directory\.$/;
    expect(said.filter((line) => refusal.test(line))).toHaveLength(1);
  });

  it('names LARDER_PORT when the port is in use, and starts nothing', async () => {
    const server = net.createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as net.AddressInfo;
    await expect(run({ LARDER_PORT: String(port) })).rejects.toThrow(/LARDER_PORT/);
    await new Promise((closed) => server.close(closed));
    expect(fs.readdirSync(path.join(dataDir, 'run'))).toEqual([]);
    expect(fs.readdirSync(dataDir)).not.toContain('standalone.lock');
  });

  it('refuses a wrong setting before it touches anything', async () => {
    await expect(run({ LARDER_WORKERS: 'two' })).rejects.toThrow('LARDER_WORKERS is "two": expected');
    expect(fs.existsSync(dataDir)).toBe(false);
  });
});
