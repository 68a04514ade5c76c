import { createHash, randomBytes } from 'node:crypto';
import { request } from 'undici';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

describe('freeing', () => {
  let cluster: InProcessCluster;
  let worker: InProcessWorker;
  beforeEach(async () => {
    cluster = await InProcessCluster.open();
    worker = await cluster.start();
  });
  afterEach(() => cluster.close());

  let batches = 0;
  const free = (
    paths: string[],
    { recursive = true, batchSize = 2, batchId = `batch-${++batches}` } = {},
    abort?: AbortController,
  ) => {
    const files = paths.map((path): [string, number, string] => [path, -1, '']);
    return worker.execute({ kind: 'free', batchId, root, files, options: { recursive, batchSize } }, abort);
  };
  const tree = ['dir', 'dir/', 'dir/a', 'dir/b/c', 'dir/b/d', 'dir/b\u{10FFFF}', 'dir/e', 'dir.txt', 'directory/a'];
  const plant = async () => {
    for (const name of tree) await worker.put(name, 'xx');
  };

  it.each([
    ['dir', true, ['dir.txt', 'directory/a']],
    ['dir/', true, ['dir', 'dir.txt', 'directory/a']],
    ['dir', false, ['dir.txt', 'dir/b/c', 'dir/b/d', 'directory/a']],
    ['dir/', false, ['dir', 'dir.txt', 'dir/b/c', 'dir/b/d', 'directory/a']],
    ['dir/a', false, tree.filter((name) => name !== 'dir/a')],
    ['none', true, tree],
  ])('of %s (recursive: %s) leaves %j', async (path, recursive, left) => {
    await plant();
    const { counts, failures } = await free([path], { recursive });
    expect(worker.names().sort()).toEqual([...left].sort());
    const freed = tree.length - left.length;
    const none = { freedReplicas: 0, failedFiles: 0, failedBytes: 0 };
    expect(counts).toEqual({ freedFiles: freed, freedBytes: 2 * freed, ...none });
    expect(failures).toEqual([]);
  });

  it('finds names that begin with the last character of Unicode', async () => {
    await worker.put('dir/b/\u{10FFFF}x', 'x');
    await worker.put('dir/c', 'x');
    expect((await free(['dir/'], { recursive: false })).counts).toMatchObject({ freedFiles: 1 });
    expect(worker.names()).toEqual(['dir/b/\u{10FFFF}x']);
  });

  it('counts a file once over all workers, and its further copies as replicas', async () => {
    const second = await cluster.start();
    const names = Array.from({ length: 20 }, (_, i) => `dir/${i}`);
    for (const one of [worker, second]) for (const name of names) await one.put(name, 'x', { replicas: 2 });
    const options = { recursive: true, batchSize: 1000 };
    const batch = { kind: 'free', root, files: [['dir', -1, '']] as [string, number, string][], options };
    const outcomes = [await worker.execute(batch), await second.execute(batch)];
    const sum = (name: string) => outcomes.reduce((total, { counts }) => total + counts[name], 0);
    expect([sum('freedFiles'), sum('freedReplicas'), sum('freedBytes')]).toEqual([20, 20, 40]);
    expect(outcomes[0].counts.freedFiles).toBeLessThan(20);
  });

  it('lets a reader finish an object that is freed', async () => {
    const bytes = randomBytes(48 * 2 ** 20);
    await worker.put('large', bytes);
    const { body } = await request(worker.url(`${root}large`));
    const hash = createHash('sha256');
    let freed = false;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (freed) continue;
      freed = true;
      expect((await free(['large'])).counts).toMatchObject({ freedFiles: 1, freedBytes: bytes.length });
      expect((await fetch(worker.url(`${root}large`, '&cachedOnly=true'))).status).toBe(404);
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('stops between groups, and still counts the removed files when it goes on', async () => {
    for (let i = 0; i < 20; i++) await worker.put(`dir/${i}`, 'xx');
    const abort = new AbortController();
    const remove = worker.cache.delete.bind(worker.cache);
    let removed = 0;
    const spy = jest.spyOn(worker.cache, 'delete').mockImplementation((path) => {
      if (++removed === 5) abort.abort(new Error('stopped'));
      return remove(path);
    });
    await expect(free(['dir'], { batchSize: 3, batchId: 'b' }, abort)).rejects.toThrow('stopped');
    spy.mockRestore();
    const left = worker.names().length;
    expect(left).toBe(14);
    expect((await free(['dir'], { batchSize: 3, batchId: 'b' })).counts).toMatchObject({
      freedFiles: 20,
      freedBytes: 40,
    });
    expect(worker.names()).toEqual([]);
  });
});
