import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { eventually, FileTree, startCluster, type S3Process, type TestCluster } from '#testing';
import { type Body, Contract } from './contract.js';

/** Messages that the reference prescribes. */
export const requiredMissing = { status: 'Required parameters not provided' };
export const jobGone = { status: "The job doesn't exist or has already finished" };
export const noJob = { status: 'No job found...' };
export const ok = { status: 'ok' };
export const nobody = '00000000-0000-4000-8000-000000000000';

/**
 * The additions of the contract suite to a cluster: clients that check each answer, data, and a second cluster with every
 * feature off and a mount table in a file.
 *
 * On disk: `bucket/dir/to/path` (also the bucket `my-bucket`) and `local/…`; all are mounted by `mountData`.
 */
export class ContractFixture {
  readonly scratch = mkdtempSync(join(tmpdir(), 'larder-contract-'));
  api!: Contract;
  off!: TestCluster;
  offApi!: Contract;
  s3!: S3Process;
  /** Below `s3://my-bucket/dir/to/path/`, as in the reference's examples. */
  tree!: FileTree;

  /** @param cluster with everything on */
  constructor(readonly cluster: TestCluster) {}

  async start(): Promise<void> {
    this.tree = FileTree.create(join(this.scratch, 'bucket/dir/to/path'), {
      seed: 3,
      smallFiles: 40,
      largeFiles: [10 * 1024 * 1024],
    });
    mkdirSync(join(this.scratch, 'local'));
    const mountTable = this.write(
      'mounts.json',
      JSON.stringify([{ path: '/fixed', ufs: `file://${this.scratch}/local` }]),
    );
    const switchedOff = {
      LARDER_QUOTA: 'false',
      LARDER_TTL: 'false',
      LARDER_PRIORITY: 'false',
      LARDER_FILE_INDEX: 'false',
      LARDER_MOUNT_TABLE: mountTable,
    };
    this.off = await startCluster({ workers: 1, env: switchedOff });
    this.api = await Contract.with(this.cluster.api.baseUrl);
    this.offApi = await Contract.with(this.off.api.baseUrl);
    this.s3 = await this.cluster.startS3({ 'my-bucket': join(this.scratch, 'bucket') });
  }

  async mountData(): Promise<void> {
    await this.mount('/data', 's3://my-bucket', this.s3.mountOptions);
    await this.mount('/local', `file://${this.scratch}/local`);
  }

  async mount(path: string, ufs: string, options: Record<string, string> = {}): Promise<void> {
    expect(await this.api.post('/mount', { path, ufs, options })).toMatchObject({ status: 200 });
  }

  async stop(): Promise<void> {
    await Promise.all([this.api?.close(), this.offApi?.close()]);
    await this.off?.dispose();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** Writes a file below the scratch directory. @returns its path */
  write(name: string, content: string | Buffer): string {
    const file = join(this.scratch, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Writes `count` files of `sizeBytes` into `local/<directory>`. @returns the UFS path of the directory */
  fill(directory: string, count: number, sizeBytes = 1000): string {
    for (let i = 0; i < count; i++) this.write(`local/${directory}/f${i}`, Buffer.alloc(sizeBytes, directory));
    return `file://${this.scratch}/local/${directory}`;
  }

  /** Loads and waits. @returns the final progress */
  async load(paths: string[], options: Record<string, unknown> = {}): Promise<Body> {
    const answer = await this.api.post('/load', { paths, options: { ...options, sync: true } });
    expect(answer).toMatchObject({ status: 200, body: { state: 'SUCCEEDED' } });
    return answer.body;
  }

  /** Frees and waits. @returns the final progress */
  async free(paths: string[], options: Record<string, unknown> = {}): Promise<Body> {
    const answer = await this.api.post('/free', { paths, options: { ...options, sync: true } });
    expect(answer).toMatchObject({ status: 200, body: { state: 'SUCCEEDED' } });
    return answer.body;
  }

  /** Polls `GET /<kind>?id=` until the job has ended or was stopped. */
  jobEnd(kind: string, id: string): Promise<Body> {
    return eventually(`the end of ${kind} ${id}`, async () => {
      const { body } = await this.api.get(`/${kind}?id=${id}`);
      return !['RUNNING', 'VERIFYING'].includes(body.state) && body;
    });
  }

  /** Whether any running worker holds the file. A normal read would bring it into the cache. */
  async isCached(ufsPath: string): Promise<boolean> {
    const held = this.cluster.workers
      .filter(({ process }) => process.running)
      .map(async ({ address }) => {
        const headers = { 'content-type': 'application/json' };
        const body = JSON.stringify({ paths: [ufsPath] });
        const answer = await request(`http://${address}/v1/lookup`, { method: 'POST', headers, body });
        return ((await answer.body.json()) as { entries: unknown[] }).entries[0] !== null;
      });
    return (await Promise.all(held)).includes(true);
  }
}
