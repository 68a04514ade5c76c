import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect } from 'nats';
import { clusterSuite, s3MountOptions, type LoadProgress } from '#testing';

const MiB = 1024 * 1024;
const files = 1_000_000;
const fileBytes = 1000;
const simulation = resolve(import.meta.dirname, '../support/simulation');

/** A project whose processes list a store that is made up, and settle batches without a byte: see `support/simulation`. */
function simulatedProject(): string {
  const directory = mkdtempSync(join(tmpdir(), 'larder-simulation-'));
  mkdirSync(join(directory, 'dist/bin'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  for (const name of ['coordinator', 'worker']) {
    const script = JSON.stringify(join(simulation, `${name}.mjs`));
    writeFileSync(join(directory, 'dist/bin', `${name}.js`), `await import(${script});\n`);
  }
  return directory;
}

function rssBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

const project = simulatedProject();

clusterSuite(
  'load of a million files',
  {
    project,
    // V8 collects garbage late where there is much memory; what counts is what is needed, not what is at hand.
    env: { NODE_OPTIONS: '--max-old-space-size=96', SCALE_LISTING: 'made-up' },
    testTimeoutMs: 300_000,
  },
  ({ cluster, test }) => {
    afterAll(() => rmSync(project, { recursive: true, force: true }));

    test('is planned and settled exactly, with flat memory and few bytes of log a file', async () => {
      await cluster.api.mount('/store', `s3://files-${files}/`, s3MountOptions('http://127.0.0.1:1'));
      const nats = await connect({ servers: cluster.natsUrl });
      try {
        const { streams } = await nats.jetstreamManager();
        const bytesBefore = (await streams.info('larder-evt')).state.bytes;
        const { process } = cluster.coordinators[0];
        const early: number[] = [];
        const later: number[] = [];
        const seen = ({ loadedFiles }: LoadProgress): void => {
          const sample = loadedFiles < files / 4 ? early : later;
          sample.push(rssBytes(process.pid!));
        };
        const id = await cluster.api.load({ paths: ['/store'] });
        const done = await cluster.api.waitForJob(id, { timeoutMs: 280_000, seen });

        expect(done).toMatchObject({ state: 'SUCCEEDED', errorMessage: {}, inFlightFiles: 0, epoch: 1 });
        expect(done).toMatchObject({ loadedFiles: files, loadedBytes: files * fileBytes, scannedFiles: files });
        expect(Math.max(...later) - Math.max(...early)).toBeLessThan(64 * MiB);
        const { state } = await streams.info('larder-evt');
        expect((state.bytes - bytesBefore) / files).toBeLessThan(4);
        // No list stays behind.
        expect((await streams.info('larder-work')).state.messages).toBe(0);
      } finally {
        await nats.close();
      }
    });
  },
);
