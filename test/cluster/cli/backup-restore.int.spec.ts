import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jobKinds } from '#job-kinds/coordinator';
import { type JobRecord } from '#contexts/jobs';
import { Names } from '#jetstream';
import {
  ApiClient,
  clusterKeys,
  clusterSuite,
  eventually,
  FileTree,
  freePorts,
  type LoadProgress,
  ManagedProcess,
  natsUrlFor,
  openTestLog,
  projectRoot,
  startTestNats,
  testWalls,
  type TestNats,
} from '#testing';
import { larder, larderWell, startLarder } from './support/run-larder.js';

jest.setTimeout(180_000);

/** The cluster into which a backup is restored. It has a NATS of its own. */
const second = new Names('second');
/** A load of these files runs while a backup is taken. Each file is a batch, so the log grows all the time. */
const files = 400;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const options = { env: { LARDER_CHECKPOINT_EVERY: '50', LARDER_CHECKPOINT_MS: '500' }, testTimeoutMs: 180_000 };

clusterSuite('backup, replay and restore', options, ({ cluster, test }) => {
  let directory: string;
  let empty: TestNats;
  const others: ManagedProcess[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'larder-cli-'));
    FileTree.create(inDirectory('source'), { seed: 1, smallFiles: files, smallMaxBytes: 100 });
    empty = await startTestNats(testWalls(second));
  });
  afterAll(async () => {
    await Promise.all(others.map((one) => one.kill9()));
    await empty?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const inDirectory = (name: string) => path.join(directory, name);
  const fromCluster = () => ['--nats', cluster.natsUrlFor('admin')];

  async function post(route: string, body: unknown): Promise<void> {
    const { status, body: answer } = await cluster.api.request('POST', route, { body });
    if (status !== 200) throw new Error(`POST ${route}: ${status} ${JSON.stringify(answer)}`);
  }

  /** The answers that come from the log. They leave out how full the caches are. */
  async function answers(api: ApiClient, jobId: string): Promise<unknown> {
    const routes = ['/mount', '/quota', '/ttl', '/priority', '/load', `/load?id=${jobId}`];
    const bodies = [];
    for (const route of routes) {
      const { status, body } = await api.request('GET', route);
      bodies.push([route, status, body]);
    }
    const fill = /remaining|used|reserved|available/i;
    return JSON.parse(JSON.stringify(bodies), (name, value: unknown) => (fill.test(name) ? undefined : value));
  }

  interface Step {
    sequence: number;
    type: string;
    state: unknown;
  }

  async function replayed(args: readonly string[]): Promise<Step[]> {
    const text = await larderWell(['replay', '--format', 'jsonl', ...args]);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Step);
  }

  /** Answers of one moment, with their sequence. */
  const seen: { sequence: number; mounts?: string[]; progress?: LoadProgress }[] = [];
  let jobId: string;

  async function look(id?: string): Promise<void> {
    const { body, headers } = await cluster.api.request('GET', id ? `/load?id=${id}` : '/mount');
    const sequence = Number(headers['x-larder-sequence']);
    if (id) seen.push({ sequence, progress: body as unknown as LoadProgress });
    else seen.push({ sequence, mounts: (body.results as { path: string }[]).map(({ path }) => path) });
  }

  test('a backup taken during a load is complete and holds the log as it was at the beginning of the backup', async () => {
    const ufs = `file://${inDirectory('source')}`;
    await cluster.api.mount('/data', ufs);
    await look();
    await cluster.api.mount('/gone', 's3://gone', { accessKeyId: 'anybody', secretAccessKey: 'canary-0815' });
    await look();
    await post('/quota', { path: '/data', quotaBytes: 1_000_000 });
    await post('/ttl', { path: '/data', ttlSeconds: 100_000 });
    await post('/priority', { path: '/data', priority: 'HIGH' });
    await look();
    jobId = await cluster.api.load({ paths: ['/data'], options: { batchSize: 1 } });
    await eventually('the load is under way', async () => (await cluster.api.progress(jobId)).loadedFiles > 10);
    await look(jobId);
    const during = await larderWell(['backup', ...fromCluster(), '--out', inDirectory('during.gz')]);
    await look(jobId);
    const { state, loadedFiles } = await cluster.api.waitForJob(jobId);
    expect({ state, loadedFiles }).toEqual({ state: 'SUCCEEDED', loadedFiles: files });
    await look(jobId);
    expect(during).toMatch(/messages, through sequence \d+, verified\nroot [0-9a-f]{64}\n$/);
    const verified = await larderWell(['audit', 'verify', '--in', inDirectory('during.gz'), '--keys'], clusterKeys);
    expect(verified).toMatch(/proven through \d+ by \d+ checkpoints \(signed\)/);
    // The log has grown since that backup.
    const against = ['audit', 'verify', ...fromCluster(), '--against', inDirectory('during.gz'), '--keys'];
    expect(await larderWell(against, clusterKeys)).toContain(`messages are the same as in ${inDirectory('during.gz')}`);
    expect(readdirSync(directory).filter((name) => name.includes('partial'))).toEqual([]);
  });

  test('a replay shows the earlier answers of the API', async () => {
    expect(seen.filter(({ mounts }) => mounts !== undefined)).toHaveLength(3);
    for (const { sequence, mounts, progress } of seen) {
      const of = progress ? `job.${jobId}` : 'namespace';
      const steps = await replayed([...fromCluster(), '--until', `${sequence}`, '--of', of]);
      const { state } = steps.at(-1)!;
      if (progress) {
        const record = state as JobRecord;
        const then = jobKinds.of(record.kind).progress(record, Date.now(), { files: 0, bytes: 0 });
        for (const name of ['state', 'scannedFiles', 'loadedFiles', 'failedFiles', 'skippedFiles', 'owner', 'epoch']) {
          expect({ sequence, [name]: then[name] }).toEqual({ sequence, [name]: progress[name as keyof LoadProgress] });
        }
      } else {
        expect((state as { mounts: { path: string }[] }).mounts.map(({ path }) => path)).toEqual(mounts);
      }
    }
  });

  test('a replay shows no secret in any form, and its steps add up to the final state', async () => {
    const options = [...fromCluster(), '--of', 'namespace'];
    const text = await larderWell(['replay', ...options]);
    expect(text).toMatch(/Mounted/);
    expect(text).toContain('******');
    expect(text).not.toMatch(/canary-0815|ciphertext/);
    const all = await replayed(options);
    const tail = await replayed([...options, '--from', `${all[1].sequence}`]);
    expect(tail).toEqual(all.slice(1));
    const [last] = (await replayed(fromCluster())) as unknown as { namespace: unknown; jobs: JobRecord[] }[];
    expect(last.namespace).toEqual(all.at(-1)!.state);
    expect(last.jobs.map(({ jobId }) => jobId)).toEqual([jobId]);
  });

  test('another cluster gives the same answers from a restored log and continues it', async () => {
    // The log must hold more than the earlier backup, even if that was taken at the end of the load.
    await post('/ttl', { path: '/data', ttlSeconds: 100_001 });
    const before = await answers(cluster.api, jobId);
    const backup = inDirectory('end.gz');
    const root = /root (\S+)/.exec(await larderWell(['backup', ...fromCluster(), '--out', backup]))![1];
    const target = ['--nats', natsUrlFor('admin', empty.url, second), '--cluster', 'second'];
    // The restore appends a new identity, which must be signed like all commits.
    const keyless = await larder(['restore', ...target, '--in', backup]);
    expect(keyless).toMatchObject({ code: 78, stderr: expect.stringContaining('LARDER_SIGNING_KEYS') as string });
    expect(await larderWell(['restore', ...target, '--in', backup], clusterKeys)).toContain(`root ${root}`);
    expect(await larderWell(['audit', 'verify', ...target, '--against', backup, '--keys'], clusterKeys)).toContain(
      'signed',
    );

    const api = await startSecondCluster();
    expect(await answers(api, jobId)).toEqual(before);
    // The restored log is not empty any more. The same backup once more changes nothing.
    expect(await larderWell(['restore', ...target, '--in', backup], clusterKeys)).toContain('nothing was done');
    const other = await larder(['restore', ...target, '--in', inDirectory('during.gz')], clusterKeys);
    expect(other).toMatchObject({ code: 78, stderr: expect.stringContaining('stop the coordinators') as string });
    // This worker's cache is still empty. A load fills it.
    const id = await api.load({ paths: ['/data'], options: { replicas: 1 } });
    expect(await api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: files });
    // The new checkpoints continue those of the original log.
    await eventually('a checkpoint covers the restored log', async () => {
      const verified = await larderWell(['audit', 'verify', ...target, '--keys'], clusterKeys);
      const [, count] = /(\d+) messages/.exec(verified)!;
      const [, proven] = /proven through (\d+)/.exec(verified)!;
      return Number(proven) >= Number(count) - 5;
    });
  });

  async function startSecondCluster(): Promise<ApiClient> {
    const [port] = await freePorts(1);
    const api = new ApiClient(`http://127.0.0.1:${port}`);
    const common = { LARDER_CLUSTER: second.cluster, LARDER_CHECKPOINT_MS: '300', ...clusterKeys };
    const start = async (
      name: string,
      app: 'coordinator' | 'worker',
      more: Record<string, string>,
      isReady: () => Promise<boolean>,
    ) => {
      const script = path.join(projectRoot(), `dist/bin/${app}.js`);
      const env = { ...common, LARDER_NATS_URL: natsUrlFor(app, empty.url, second), ...more };
      const spec = { name, script, env, logFile: inDirectory(`${name}.log`), isReady };
      const started = new ManagedProcess(spec);
      others.push(started);
      await started.start();
    };
    await start('second-coordinator', 'coordinator', { LARDER_PORT: `${port}` }, () => api.isReady());
    const worker = { LARDER_CACHE_DIR: inDirectory('second-worker'), LARDER_WORKER_PORT: '0' };
    const isOnline = async () =>
      (await api.nodes()).some(({ status, address }) => status === 'ONLINE' && isNew(address));
    const known = (await cluster.api.nodes()).map(({ address }) => address);
    const isNew = (address: string) => !known.includes(address);
    await start('second-worker', 'worker', worker, isOnline);
    return api;
  }

  test('a second restore completes one that was killed half-way', async () => {
    const source = await openTestLog(cluster.nats.url, { cluster: 'long' });
    const target = await openTestLog(empty.url, { cluster: 'killed' });
    try {
      const subject = (i: number) => source.names.eventSubject(`notes.${i % 50}`);
      const message = (i: number) => JSON.stringify({ id: `${i}`, events: [event(i)] });
      for (let i = 0; i < 40_000; i += 500) {
        await Promise.all(range(500).map((j) => source.link.js.publish(subject(i + j), message(i + j))));
      }
      const backup = inDirectory('long.gz');
      await larderWell(['backup', ...fromCluster(), '--cluster', 'long', '--out', backup]);
      const command = [
        'restore',
        '--nats',
        natsUrlFor('admin', empty.url, second),
        '--cluster',
        'killed',
        '--in',
        backup,
      ];
      const killed = startLarder(command);
      await eventually('a part of the log is restored', async () => (await target.store.info()).lastSequence > 2_000, {
        everyMs: 5,
      });
      killed.process.kill('SIGKILL');
      expect(await killed.ended).toMatchObject({ signal: 'SIGKILL' });
      const { lastSequence } = await target.store.info();
      expect(lastSequence).toBeLessThan(40_000);
      expect(await larderWell(command)).toMatch(/40000 messages \(\d+ of them restored before\), verified/);
      const verify = [
        'audit',
        'verify',
        '--nats',
        natsUrlFor('admin', empty.url, second),
        '--cluster',
        'killed',
        '--against',
        backup,
      ];
      expect(await larderWell(verify)).toContain(`40000 messages are the same as in ${backup}`);
    } finally {
      await source.close();
      await target.close();
    }
  });

  function event(i: number) {
    return { id: `${i}`, type: 'Noted', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r', data: {} };
  }

  describe('refuses wrong arguments and settings with one sentence', () => {
    it.each([
      [78, ['backup', '--out', 'x'], /Which NATS is not said/],
      [78, ['backup', '--data-dir', '/nonexistent', '--out', 'x'], /is not the data directory of a cluster/],
      [78, ['replay', '--in', 'BACKUP', '--of', 'nonsense'], /"nonsense" is none of namespace, membership/],
      [78, ['audit', 'verify', '--in', 'BACKUP', '--keys'], /set LARDER_SECRET_KEYS/],
      [2, ['replay', '--until', 'yesterday'], /expected a sequence or a time/],
      [2, ['backup'], /--out <file>/],
      [2, ['nonsense'], /unknown command/],
      [1, ['restore', '--nats', 'NATS', '--in', '/nonexistent'], /there is no file/],
      [1, ['audit', 'verify', '--nats', 'NATS', '--cluster', 'nobody'], /no log of a cluster "nobody"/],
    ])('exit code %i: larder %j', async (code, args, message) => {
      const real = args.map((arg) =>
        arg.replace('BACKUP', inDirectory('end.gz')).replace('NATS', cluster.natsUrlFor('admin')),
      );
      const ended = await larder(real);
      expect(ended).toMatchObject({ code, stderr: expect.stringMatching(message) as string });
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    });
  });
});
