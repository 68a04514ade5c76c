import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, freePorts, ManagedProcess, projectRoot } from '#testing';
import { nodeBinary } from './support/node-binary.js';
import { mains, run } from './support/run.js';

const started = [
  ...['start', 'cluster', 'dev', 'check', 'test', 'build', 'robustness', 'nats-server'].map(
    (name) => `scripts/${name}.mjs`,
  ),
  ...['bin/larder.mjs', ...Object.values(mains)],
];

describe.each([16, 18])('on Node %i, which is too old', (major) => {
  const node = nodeBinary(major);
  (node === undefined ? it.skip : it).each(started)(
    '%s refuses to start with one sentence and exit code 78',
    async (script) => {
      expect(await run(script, { node })).toEqual({
        code: 78,
        signal: null,
        stdout: '',
        stderr: expect.stringMatching(
          new RegExp(`^Larder needs Node >=20\\.\\d+; this is ${major}\\.[\\d.]+\\.\\n$`),
        ) as string,
      });
    },
  );
});

describe.each([20, 22, 24])('on Node %i', (major) => {
  const isOwn = Number(process.versions.node.split('.')[0]) === major;
  const node = isOwn ? process.execPath : nodeBinary(major);
  let directory: string;
  let cluster: ManagedProcess | undefined;

  beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), `larder-node-${major}-`))));
  afterAll(async () => {
    if (cluster?.running) await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  (node === undefined ? it.skip : it)(
    'npm start runs a cluster that loads, verifies and serves files, and the command line verifies its log',
    async () => {
      const [port] = await freePorts(1);
      const dataDir = join(directory, 'data');
      const source = join(directory, 'source');
      mkdirSync(source);
      for (let i = 0; i < 200; i++) writeFileSync(join(source, `f${i}`), `content of ${i}`);
      writeFileSync(join(source, 'large'), Buffer.alloc(5_000_000, 'large'));
      cluster = new ManagedProcess({
        name: `standalone on Node ${major}`,
        script: join(projectRoot(), 'scripts/start.mjs'),
        node,
        env: { LARDER_DATA_DIR: dataDir, LARDER_PORT: String(port), npm_lifecycle_event: 'start' },
        logFile: join(directory, 'standalone.log'),
        isReady: (self) => self.log().includes('Ctrl-C stops everything'),
      });
      await cluster.start();

      const api = new ApiClient(`http://127.0.0.1:${port}`);
      await api.mount('/source', `file://${source}`);
      const id = await api.load({ paths: ['/source'], options: { verify: true } });
      expect(await api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 201, verifiedFiles: 201 });
      const [{ address }] = await api.nodes();
      const read = await fetch(`http://${address}/v1/objects?path=file://${source}/large`);
      expect(Buffer.from(await read.arrayBuffer()).equals(readFileSync(join(source, 'large')))).toBe(true);
      const verified = await run(mains.cli, { node, args: ['audit', 'verify', '--data-dir', dataDir] });
      expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('no fault was found') as string });
      expect((await cluster.stop()).code).toBe(0);
      expect(cluster.log()).not.toMatch(/Warning|ERROR/);
    },
    120_000,
  );
});
