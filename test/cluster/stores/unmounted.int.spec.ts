import { clusterSuite, eventually, keys, type WorkerHandle } from '#testing';
import { request } from 'undici';

clusterSuite('a mount that is removed', { workers: 2 }, ({ cluster, s3, test }) => {
  async function read({ address }: WorkerHandle, path: string, more = '', method: 'GET' | 'HEAD' = 'GET') {
    const answer = await request(`http://${address}/v1/objects?path=${encodeURIComponent(path)}${more}`, { method });
    await answer.body.dump();
    return answer.statusCode;
  }

  /** The answers of every worker to every kind of read of the path. */
  async function answers(path: string): Promise<number[]> {
    const all = cluster.workers.flatMap((worker) => [
      read(worker, path),
      read(worker, path, '', 'HEAD'),
      read(worker, path, '&redirect=false'),
      read(worker, path, '&cachedOnly=true'),
    ]);
    return [...new Set(await Promise.all(all))];
  }

  const unmount = (path: string) => cluster.api.request('DELETE', '/mount', { body: { path } });

  async function load(bucket: string) {
    const files = await s3.bucket(cluster, bucket, keys(20));
    const options = { replicas: 2 };
    const done = await cluster.api.waitForJob(await cluster.api.load({ paths: [`/${bucket}`], options }));
    expect(done.state).toBe('SUCCEEDED');
    return files;
  }

  test('is served by no worker after the answer to its removal, and by all workers after it is mounted again', async () => {
    const files = await load('gone');
    expect(await answers(files[0].path)).toEqual([200]);
    const { length: readsBefore } = s3.reads('gone');
    for (let round = 0; round < 10; round++) {
      expect(await unmount('/gone')).toMatchObject({ status: 200, body: { status: 'ok' } });
      const found = await Promise.all(files.map(({ path }) => answers(path)));
      expect([...new Set(found.flat())]).toEqual([404]);
      await cluster.api.mount('/gone', 's3://gone/', s3.mountOptions);
      expect(await answers(files[0].path)).toEqual([200]);
    }
    // The cached files stayed on the disks: the source is not read to serve them again.
    const skipped = { paths: ['/gone'], options: { skipIfExists: true, replicas: 2 } };
    expect(await cluster.api.waitForJob(await cluster.api.load(skipped))).toMatchObject({
      state: 'SUCCEEDED',
      skippedFiles: 20,
    });
    expect(await answers(files[0].path)).toEqual([200]);
    expect(s3.reads('gone')).toHaveLength(readsBefore);
  });

  test('names the workers that may still serve it when they do not answer in time', async () => {
    await load('slow');
    const [worker] = cluster.workers;
    worker.process.pause();
    try {
      const { status, body } = await unmount('/slow');
      expect(status).toBe(200);
      expect(body).toEqual({ status: 'ok', stillServing: [worker.address] });
    } finally {
      worker.process.resume();
    }
  });

  test('a worker without NATS uses the last known mounts, and answers 503 if it has never read them', async () => {
    const files = await load('kept');
    await load('dropped').then(() => unmount('/dropped'));
    await cluster.nats.kill9();
    const [worker, restarted] = cluster.workers;
    expect(await read(worker, files[0].path, '&cachedOnly=true')).toBe(200);
    expect(await read(worker, 's3://dropped/f/00000', '&cachedOnly=true')).toBe(404);
    await restarted.process.kill9();
    restarted.process.launch();
    const address = await eventually('the worker listens', () => {
      const line = /^\{.*"msg":"worker listens".*\}$/m.exec(restarted.process.log())?.[0];
      return line && (JSON.parse(line) as { address: string }).address;
    });
    const answer = await request(`http://${address}/v1/objects?path=${encodeURIComponent(files[0].path)}`);
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
    await answer.body.dump();
    await cluster.nats.restart();
    await restarted.process.untilReady();
    expect(await read(restarted, files[0].path, '&cachedOnly=true')).toBe(200);
  });
});
