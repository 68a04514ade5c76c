import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'nats';
import { HashRing } from '#hash-ring';
import {
  clusterSuite,
  eventually,
  expectCacheEqualsSource,
  keys,
  sha256,
  sizeOf,
  type SourceFile,
  type WorkerHandle,
} from '#testing';
import { expectCountsToAddUp, expectExactSuccess, expectProgressToGrow } from '../support/counts.js';

clusterSuite(
  'faults of workers during a load',
  {
    env: {
      LARDER_HEARTBEAT_MS: '200',
      LARDER_WORKER_TIMEOUT_MS: '2000',
      LARDER_WORKER_GRACE_MS: '3000',
      LARDER_BATCH_SIZE: '20',
    },
  },
  ({ cluster, s3, test }) => {
    /** Checks that every visible file is complete. */
    async function expectOnlyWholeObjects(files: readonly SourceFile[]): Promise<void> {
      for (const file of files) {
        const bytes = await cluster.readObject(file.path);
        if (bytes !== undefined && sha256(bytes) !== file.sha256) throw new Error(`${file.path} is visible in part`);
      }
    }

    test('fault 2: a worker killed and restarted shows no incomplete file, and the counts are exact', async () => {
      const files = [
        ...(await s3.bucket(cluster, 'killed', keys(600))),
        await s3.put('killed', 'f/large-1', Buffer.alloc(5_000_000, 'x')),
        await s3.put('killed', 'f/large-2', Buffer.alloc(5_000_000, 'y')),
      ];
      const gate = s3.hold('killed', 250);
      const id = await cluster.api.load({ paths: ['/killed'] });
      await gate.reached;
      await cluster.workers[0].process.kill9();
      await cluster.workers[0].process.start();
      await expectOnlyWholeObjects(files);
      gate.open();
      await expectExactSuccess(cluster, id, files);
    });

    test('fault 2: the batches of a worker that does not return move to the other one once it counts as lost', async () => {
      const files = await s3.bucket(cluster, 'lost', keys(600));
      const gate = s3.hold('lost', 250);
      const id = await cluster.api.load({ paths: ['/lost'] });
      await gate.reached;
      const [survivor, dead] = cluster.workers;
      await dead.process.kill9();
      gate.open();
      const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
      expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 600, failedFiles: 0 });
      expectCountsToAddUp(done, { files: 600, bytes: sizeOf(files) });
      const nodes = await cluster.api.nodes();
      expect(nodes.map(({ identity, status }) => [identity, status])).toEqual(
        expect.arrayContaining([
          [survivor.id, 'ONLINE'],
          [dead.id, 'OFFLINE'],
        ]),
      );
      await dead.process.start();
      await cluster.untilOnline(2);
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });

    test('a frozen worker that wakes up late does not change what other workers have settled', async () => {
      const files = await s3.bucket(cluster, 'frozen', keys(400));
      const gate = s3.hold('frozen', 150);
      const id = await cluster.api.load({ paths: ['/frozen'] });
      await gate.reached;
      const [, frozen] = cluster.workers;
      frozen.process.pause();
      gate.open();
      const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
      frozen.process.resume();
      await cluster.untilOnline(2);
      expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 400, failedFiles: 0 });
      expectCountsToAddUp(done, { files: 400, bytes: sizeOf(files) });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
      expect(await cluster.api.progress(id)).toEqual(done);
    });

    test('fault 12: a batch that always kills its worker is parked with the names of its files, and the rest is loaded', async () => {
      const names = keys(100);
      const files = await s3.bucket(cluster, 'poison', names);
      const poison = files[50];
      const [ownerId] = new HashRing(cluster.workers.map(({ id }) => id)).owners(poison.path);
      const owner = cluster.workers.find(({ id }) => id === ownerId) as WorkerHandle;
      let kills = 0;
      s3.faults.set('poison', ({ operation, key }) => {
        if (operation !== 'GetObject' || key !== names[50]) return undefined;
        kills++;
        void owner.process.kill9();
        return { kind: 'hang' };
      });
      let supervising = true;
      const supervisor = (async () => {
        while (supervising) {
          await eventually('the worker ended', () => !supervising || !owner.process.running, { timeoutMs: 90_000 });
          if (supervising) await owner.process.start();
        }
      })();
      const id = await cluster.api.load({ paths: ['/poison'], options: { batchSize: 10 } });
      const done = await cluster.api.waitForJob(id, { timeoutMs: 80_000 });
      supervising = false;
      await supervisor;

      expect(done.state).toBe('FAILED');
      expect(kills).toBeGreaterThan(0);
      expect(kills).toBeLessThanOrEqual(10);
      expectCountsToAddUp(done, { files: 100 });
      const failures = await cluster.api.failedFiles(id);
      expect(failures.map(({ path }) => path)).toContain(poison.path);
      expect(failures.every(({ reason }) => /given up after/.test(reason))).toBe(true);
      // Only this batch is affected.
      expect(failures).toHaveLength(done.failedFiles);
      expect(done.failedFiles).toBeLessThanOrEqual(10);
      const failed = new Set(failures.map(({ path }) => path));
      await expectCacheEqualsSource(
        cluster,
        files.filter(({ path }) => !failed.has(path)),
        { others: 'any' },
      );
    }, 120_000);

    test('fault 13, fault 14: the counters ignore repeated deliveries of batches and reports, late ones and those after the end', async () => {
      const files = await s3.bucket(cluster, 'twice', keys(300));
      // No batch may settle at first: the list of a settled batch leaves the work stream.
      const first = s3.hold('twice', 0);
      const id = await cluster.api.load({ paths: ['/twice'] });
      await eventually('all files are planned', async () => (await cluster.api.progress(id)).scannedFiles === 300);
      const nc = await connect({ servers: cluster.nats.url });
      const js = nc.jetstream();
      const repeat = async (stream: string, subject: string) => {
        const found = [];
        const consumer = await js.consumers.get(stream, { filterSubjects: subject });
        const messages = await consumer.fetch({ max_messages: 1000, expires: 1000 });
        for await (const { subject, data } of messages) found.push({ subject, data });
        for (let i = 0; i < 10; i++) for (const { subject, data } of found) await js.publish(subject, data);
        return found.length;
      };
      expect(await repeat('larder-work', `larder.work.*.${id}`)).toBeGreaterThan(10);
      const gate = s3.hold('twice', 120);
      first.open();
      await eventually('a batch is settled', async () => (await cluster.api.progress(id)).loadedFiles > 0);
      expect(await repeat('larder-evt', `larder.evt.batch.${id}.*`)).toBeGreaterThan(0);
      gate.open();
      await expectExactSuccess(cluster, id, files);
      expect(await repeat('larder-evt', `larder.evt.batch.${id}.*`)).toBeGreaterThan(0);
      await nc.close();
      expect(await cluster.api.progress(id)).toMatchObject({
        state: 'SUCCEEDED',
        loadedFiles: 300,
        totalBytes: sizeOf(files),
      });
    });

    test('a stopped job reads nothing two seconds later, and a POST resumes it to exact counts', async () => {
      const files = await s3.bucket(cluster, 'stopped', keys(4000), 100);
      // Slow enough for the stop to come long before the end.
      s3.faults.set('stopped', ({ operation }) =>
        operation === 'GetObject'
          ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 100)) }
          : undefined,
      );
      const id = await cluster.api.load({ paths: ['/stopped'] });
      await eventually('the job is under way', () => s3.reads('stopped').length > 200);
      const { status } = await cluster.api.stopLoad(id);
      const stoppedAtMs = performance.now();
      expect(status).toBe(200);
      await eventually('five seconds have gone by', () => performance.now() > stoppedAtMs + 5000);
      const late = s3.reads('stopped').filter(({ atMs }) => atMs > stoppedAtMs + 2000);
      expect(late).toEqual([]);
      const stopped = await cluster.api.progress(id);
      expect(stopped.state).toBe('STOPPED');
      expect(stopped.loadedFiles).toBeLessThan(4000);
      expect((await cluster.api.stopLoad(id)).status).toBe(200);

      s3.faults.delete('stopped');
      const again = await cluster.api.postLoad({ paths: ['/stopped'] });
      expect(again).toMatchObject({ status: 409, body: { id, resumed: true } });
      await expectExactSuccess(cluster, id, files);
      expect(await cluster.api.stopLoad(id)).toMatchObject({
        status: 410,
        body: { status: "The job doesn't exist or has already finished" },
      });
    });

    test('a decommissioned worker leaves at once, stays away, and joins again after a restart', async () => {
      const [stays, leaves] = cluster.workers;
      const { id } = leaves;
      const path = `/nodes?id=${id}`;
      expect((await cluster.api.request('DELETE', path)).status).toBe(200);
      expect((await cluster.api.nodes()).map(({ identity }) => identity)).toEqual([stays.id]);
      expect(await cluster.api.request('GET', path)).toMatchObject({
        status: 404,
        body: { status: 'worker not found...' },
      });
      expect((await cluster.api.request('DELETE', path)).status).toBe(404);

      // The worker still runs and sends heartbeats, but a whole job gives it no batch.
      const files = await s3.bucket(cluster, 'alone', keys(100));
      await cluster.api.waitForJob(await cluster.api.load({ paths: ['/alone'] }));
      expect(leaves.process.running).toBe(true);
      expect((await cluster.api.nodes()).map(({ identity }) => identity)).toEqual([stays.id]);
      await leaves.process.kill9();
      await expectCacheEqualsSource(cluster, files, { others: 'any' });

      await leaves.process.start();
      await cluster.untilOnline(2);
      expect(leaves.id).toBe(id);
      expect((await cluster.api.request('GET', path)).status).toBe(200);
    });

    test('a worker exits with 0 when it is told to stop, and the job still ends with exact counts', async () => {
      const files = await s3.bucket(cluster, 'orderly', keys(400));
      const gate = s3.hold('orderly', 150);
      const id = await cluster.api.load({ paths: ['/orderly'] });
      await gate.reached;
      const [worker] = cluster.workers;
      const { code } = await worker.process.stop();
      expect(code).toBe(0);
      expect(existsSync(join(worker.cacheDir, 'identity.json'))).toBe(true);
      await worker.process.start();
      gate.open();
      await expectExactSuccess(cluster, id, files);
    });
  },
);
