import { type ApiClient, clusterSuite, keys } from '#testing';

const gone = { status: "The job doesn't exist or has already finished" };
const unknown = '00000000-0000-4000-8000-000000000000';

clusterSuite(
  'reads through one coordinator after writes through another',
  { coordinators: 2, workers: 1, testTimeoutMs: 60_000 },
  ({ cluster, s3, test }) => {
    let a: ApiClient;
    let b: ApiClient;

    beforeAll(() => {
      [a, b] = cluster.coordinators.map(({ api }) => api);
    });

    test('the other coordinator finds a job by its id at once, without any header', async () => {
      await s3.bucket(cluster, 'found', keys(60));
      for (const key of keys(60)) {
        const id = await a.load({ paths: [`s3://found/${key}`] });
        const [progress, failed] = await Promise.all([
          b.request('GET', `/load?id=${id}`),
          b.request('GET', `/load/${id}/failed_files`),
        ]);
        expect([progress.status, failed.status]).toEqual([200, 200]);
      }
    });

    test('the lists of each coordinator show the writes of the other at once, without any header', async () => {
      await s3.bucket(cluster, 'listed', keys(60));
      for (const [i, key] of keys(60).entries()) {
        const [writer, reader] = i % 2 ? [a, b] : [b, a];
        const id = await writer.load({ paths: [`s3://listed/${key}`] });
        const { body, headers } = await reader.request<{ results: { id: string }[] }>('GET', '/load');
        expect(body.results.map((job) => job.id)).toContain(id);
        expect(headers['x-larder-stale']).toBeUndefined();
      }
    });

    test('an object removed through one coordinator is gone from the other at once', async () => {
      for (let i = 0; i < 30; i++) {
        const [writer, reader] = i % 2 ? [a, b] : [b, a];
        await writer.mount(`/brief-${i}`, `s3://brief-${i}/`);
        expect((await reader.request('GET', `/mount?path=/brief-${i}`)).status).toBe(200);
        await reader.request('DELETE', '/mount', { body: { path: `/brief-${i}` } });
        const { body } = await writer.request<{ results: { path: string }[] }>('GET', '/mount');
        expect(body.results.map(({ path }) => path)).not.toContain(`/brief-${i}/`);
      }
    });

    test('progress never goes back when a client changes from one coordinator to the other', async () => {
      await s3.bucket(cluster, 'turns', keys(600));
      const id = await a.load({ paths: ['/turns'], options: { batchSize: 5 } });
      let before = 0;
      for (let i = 0; ; i++) {
        const progress = await (i % 2 ? a : b).progress(id);
        expect(progress.loadedFiles).toBeGreaterThanOrEqual(before);
        before = progress.loadedFiles;
        if (progress.state === 'SUCCEEDED') break;
      }
      expect(before).toBe(600);
    });

    test('a client reads its own writes through the same coordinator, without any header', async () => {
      await s3.bucket(cluster, 'own', keys(20));
      for (const key of keys(20)) {
        const id = await a.load({ paths: [`s3://own/${key}`] });
        const { body } = await a.request<{ results: { id: string }[] }>('GET', '/load');
        expect(body.results.map((job) => job.id)).toContain(id);
      }
    });

    test('a coordinator that was frozen does not return 404 for a job that it has not read yet', async () => {
      await s3.bucket(cluster, 'behind', keys(5));
      const { process } = cluster.coordinators[1];
      process.pause();
      const id = await a.load({ paths: ['/behind'] });
      await a.mount('/behind-too', 's3://behind-too/');
      process.resume();
      const answers = await Promise.all([
        b.request('GET', `/load?id=${id}`),
        b.request('GET', '/mount?path=/behind-too'),
        b.postLoad({ paths: ['/behind-too/x'] }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    });

    test('each coordinator can stop, resume and stop a job again', async () => {
      await s3.bucket(cluster, 'passed', keys(50));
      const gate = s3.hold('passed', 0);
      const id = await a.load({ paths: ['/passed'] });
      expect(await b.postLoad({ paths: ['s3://passed/'] })).toMatchObject({
        status: 409,
        body: { id, resumed: false },
      });
      expect(await b.stopLoad(id)).toMatchObject({ status: 200, body: { status: 'ok' } });
      expect(await a.request('GET', `/load?id=${id}`)).toMatchObject({ status: 200, body: { id } });
      expect(await a.postLoad({ paths: ['/passed'] })).toMatchObject({ status: 409, body: { id, resumed: true } });
      expect(await b.stopLoad(id)).toMatchObject({ status: 200 });
      expect(await b.postLoad({ paths: ['/passed'] })).toMatchObject({ status: 409, body: { id, resumed: true } });
      gate.open();
      expect(await b.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 50 });

      for (const api of [a, b]) expect(await api.stopLoad(id)).toMatchObject({ status: 410, body: gone });
      const next = await b.load({ paths: ['/passed'] });
      expect(next).not.toBe(id);
      for (const api of [a, b]) expect((await api.waitForJob(id)).state).toBe('SUCCEEDED');
    });

    test('both coordinators return 404 for GET and 410 for DELETE of an unknown job', async () => {
      for (const api of [a, b]) {
        expect(await api.request('GET', `/load?id=${unknown}`)).toMatchObject({
          status: 404,
          body: { status: 'No job found...' },
        });
        expect(await api.stopLoad(unknown)).toMatchObject({ status: 410, body: gone });
        expect((await api.request('GET', '/nodes?id=worker-none')).status).toBe(404);
        expect((await api.request('GET', '/mount?path=/never')).status).toBe(404);
        expect(await api.request('DELETE', '/load', { body: {} })).toMatchObject({
          status: 400,
          body: { status: 'Required parameters not provided' },
        });
        expect(await api.request('POST', '/load', { body: {} })).toMatchObject({
          status: 400,
          body: { status: 'Required parameters not provided' },
        });
      }
    });

    test('a mount made through one coordinator counts at once for loads and mounts through the other', async () => {
      s3.server.createBucket('fresh');
      for (let i = 0; i < 10; i++) {
        s3.server.createBucket(`fresh-${i}`);
        await a.mount(`/fresh-${i}`, `s3://fresh-${i}/`, s3.mountOptions);
        expect((await b.request('POST', '/mount', { body: { path: `/fresh-${i}`, ufs: 's3://other/' } })).status).toBe(
          409,
        );
        expect((await b.postLoad({ paths: [`/fresh-${i}`] })).status).toBe(200);
      }
    });
  },
);
