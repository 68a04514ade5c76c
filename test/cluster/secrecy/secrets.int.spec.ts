import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, eventually, keys } from '#testing';

/** The core stays the same in any encoding. The other characters show the effect of escaping. */
const core = 'xCanaryz7Q4w9Larder';
const canary = `${core}/+=&%"\\ '${core}`;

/** The forms to search for: plain, each alignment of base64, hex. URLs and JSON do not change the core. */
const forms: readonly string[] = [
  core,
  ...[0, 1, 2].map((shift) => {
    const text = Buffer.from('#'.repeat(shift) + core).toString('base64');
    // The first and last characters depend on the characters beside the core.
    return text.slice(shift === 0 ? 0 : 4, -4);
  }),
  Buffer.from(core).toString('hex'),
];

clusterSuite(
  'a secret in the options of a mount',
  {
    s3: { credentials: { accessKeyId: 'larder-test', secretAccessKey: canary } },
    env: {
      LARDER_LOG_LEVEL: 'trace',
      LARDER_SNAPSHOT_EVERY: '5',
      LARDER_RETRY_BASE_MS: '10',
      LARDER_MAX_ATTEMPTS: '2',
      LARDER_UFS_OUTAGE_MS: '1000',
    },
  },
  ({ cluster, s3 }) => {
    it(
      'fault 23: is in no log, no file of NATS or of a cache, and no answer, after successes and failures',
      () =>
        cluster.watch(async () => {
          const { api } = cluster;
          const answers: unknown[] = [];
          const ask = async (...call: Parameters<typeof api.request>) => {
            const answer = await api.request(...call);
            answers.push(answer);
            return answer;
          };

          await s3.bucket(cluster, 'good', keys(30));
          await s3.bucket(cluster, 'bad', keys(30));
          s3.faults.set('bad', ({ operation }) =>
            operation === 'GetObject' ? { kind: 'status', status: 403 } : undefined,
          );
          // The right secret with a wrong access key id: the store refuses the signature.
          await api.mount('/refused', 's3://refused/', { ...s3.mountOptions, 's3a.accessKeyId': 'nobody' });
          await api.mount('/unreachable', 's3://unreachable/', {
            ...s3.mountOptions,
            'alluxio.underfs.s3.endpoint': 'http://127.0.0.1:1',
          });
          const states: Record<string, string> = {};
          for (const mount of ['good', 'bad', 'refused', 'unreachable']) {
            const { body } = await ask('POST', '/load', { body: { paths: [`/${mount}`] } });
            const { id } = body as { id: string };
            states[mount] = (await api.waitForJob(id)).state;
            await ask('GET', `/load?id=${id}`);
            await ask('GET', `/load/${id}/failed_files`);
          }
          expect(states).toEqual({ good: 'SUCCEEDED', bad: 'FAILED', refused: 'FAILED', unreachable: 'FAILED' });

          const options = { ...s3.mountOptions };
          await ask('POST', '/mount', { body: { path: '/good', ufs: 's3://other/', options } });
          await ask('POST', '/mount', { body: { path: 'wrong', ufs: 's3://other/', options } });
          await ask('POST', '/mount', { body: { path: '/w', ufs: 'gs://other/', options } });
          await ask('POST', '/mount', {
            body: { path: '/w', ufs: 's3://other/', options: { ...options, nested: options } },
          });
          await ask('POST', '/mount', {
            body: { path: '/w', ufs: 's3://other/', options: { 's3a.secretKeyy': canary } },
          });
          await ask('POST', '/mount', { body: { path: '/w', ufs: 7, options } });
          const madeUp = await ask('POST', '/mount', {
            body: { path: '/w', ufs: 's3://other/', options: { note: canary } },
          });
          expect(madeUp.status).toBe(400);
          const elsewhere = {
            ...options,
            'fs.s3a.bucket.elsewhere.secret.key': canary,
            'fs.s3a.user.agent.prefix': canary,
          };
          const taken = await ask('POST', '/mount', { body: { path: '/w', ufs: 's3://other/', options: elsewhere } });
          expect(taken).toMatchObject({ status: 200, body: { ignored: expect.any(Array) as string[] } });
          const mounts = await ask('GET', '/mount');
          expect(JSON.stringify(mounts.body)).toContain('******');
          for (const path of ['/mount?path=/good', '/mount?path=/none', '/load', '/nodes', '/nothing'])
            await ask('GET', path);
          await eventually('a snapshot is stored', () => {
            const streams = join(
              cluster.nats.storeDir,
              'jetstream',
              'LARDER',
              'streams',
              'OBJ_larder-snapshots',
              'msgs',
            );
            return readdirSync(streams).some((name) => statSync(join(streams, name)).size > 0);
          });
          for (const { process } of cluster.coordinators) await process.restart();
          for (const { process } of cluster.workers) await process.stop();
          await ask('GET', '/mount');

          const text = JSON.stringify(answers);
          expect(forms.filter((form) => text.includes(form))).toEqual([]);
          const files = [...filesBelow(cluster.directory), ...filesBelow(cluster.nats.storeDir)];
          // The search proves nothing unless it covers the important places.
          for (const part of [
            'coordinator-1.log',
            'worker-1.log',
            'larder-evt',
            'OBJ_larder-snapshots',
            '.seg',
            'index',
          ]) {
            expect(files.some((file) => file.includes(part))).toBe(true);
          }
          expect(files.filter((file) => holdsCanary(file))).toEqual([]);
        }),
      120_000,
    );

    it('the search itself finds a secret', () => {
      for (const text of [canary, encodeURIComponent(canary), JSON.stringify(canary)]) expect(finds(text)).toBe(true);
      for (const before of ['', 'a', 'ab', 'abc'])
        expect(finds(Buffer.from(before + canary).toString('base64'))).toBe(true);
      expect(finds(Buffer.from(canary).toString('hex'))).toBe(true);
    });
  },
);

const finds = (text: string): boolean => forms.some((form) => text.includes(form));

function holdsCanary(file: string): boolean {
  return finds(readFileSync(file).toString('latin1'));
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
