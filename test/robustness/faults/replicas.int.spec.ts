import { type ApiClient, clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

/** If NATS works, another coordinator continues the jobs of a dead owner within this time. */
const takeoverLimitMs = 5000;

const note = (line: string) => void process.stderr.write(line);

clusterSuite(
  'three coordinators',
  { coordinators: 3, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' }, testTimeoutMs: 120_000 },
  ({ cluster, s3, test }) => {
    const apis = (): ApiClient[] => cluster.coordinators.map(({ api }) => api);

    test('fault 1: within five seconds of the kill of an owner another continues, and reads at most the files in flight again', async () => {
      const files = await s3.bucket(cluster, 'inherited', keys(2000), 100);
      // Slow enough to still run after two owners were killed.
      s3.faults.set('inherited', ({ operation }) =>
        operation === 'GetObject'
          ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 100)) }
          : undefined,
      );
      const id = await cluster.api.load({ paths: ['/inherited'] });
      let inFlight = 0;
      for (const round of [1, 2]) {
        await eventually('the job has progressed', () => s3.reads('inherited').length > round * 300);
        const { id: ownerId, process: victim } = await cluster.ownerOf(id, running());
        await victim.kill9();
        const killedAtMs = performance.now();
        const api = running();
        inFlight += (await api.progress(id)).inFlightFiles;
        const taken = await eventually(
          'another coordinator owns the job',
          async () => {
            const { owner, epoch } = await api.progress(id);
            return owner === ownerId ? undefined : { epoch, afterMs: performance.now() - killedAtMs };
          },
          { everyMs: 10 },
        );
        note(`owner killed: another had the job after ${Math.round(taken.afterMs)} ms\n`);
        expect(taken.epoch).toBe(round + 1);
        expect(taken.afterMs).toBeLessThan(takeoverLimitMs);
      }
      const done = await expectExactSuccess(cluster, id, files, { api: running() });
      expect(done.epoch).toBe(3);
      const reads = s3.reads('inherited');
      expect(reads.length - new Set(reads.map(({ key }) => key)).size).toBeLessThanOrEqual(inFlight);
      await Promise.all(cluster.coordinators.filter((one) => !one.process.running).map((one) => one.process.start()));
      for (const api of apis()) expect(await api.progress(id)).toEqual(done);
    });

    const running = (): ApiClient => cluster.coordinators.find(({ process }) => process.running)!.api;

    test('fault 21: exactly one of several conflicting mounts through three coordinators at once returns 200', async () => {
      for (let round = 0; round < 10; round++) {
        const paths = [`/overlap${round}`, `/overlap${round}/below`, `/overlap${round}`];
        const answers = await Promise.all(
          apis().map((api, i) =>
            api.request('POST', '/mount', { body: { path: paths[i], ufs: `s3://overlap-${round}-${i}/` } }),
          ),
        );
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
        const winner = answers.findIndex(({ status }) => status === 200);
        const headers = { 'x-larder-sequence': String(answers[winner].headers['x-larder-sequence']) };
        for (const api of apis()) {
          const { body } = await api.request<{ results: { path: string; ufs: string }[] }>('GET', '/mount', {
            headers,
          });
          const found = body.results.filter(({ path }) => path.startsWith(`/overlap${round}/`));
          expect(found).toMatchObject([{ ufs: `s3://overlap-${round}-${winner}/` }]);
        }
      }
    });

    test('fault 22: 100 identical POSTs through three coordinators make one job: one returns 200 and 99 return 409 with its id', async () => {
      const files = await s3.bucket(cluster, 'hundred', keys(100), 100);
      const gate = s3.hold('hundred', 0);
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => apis()[i % 3].postLoad({ paths: ['/hundred'] })),
      );
      const count = (status: number) => answers.filter((answer) => answer.status === status).length;
      expect([count(200), count(409)]).toEqual([1, 99]);
      const ids = [...new Set(answers.map(({ body }) => body.id!))];
      expect(ids).toHaveLength(1);
      gate.open();
      await expectExactSuccess(cluster, ids[0], files);
      expect(s3.reads('hundred')).toHaveLength(100);
    });
  },
);
