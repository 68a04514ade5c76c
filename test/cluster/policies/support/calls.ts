import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { eventually, type ApiClient, type SourceFile, type TestCluster, type WorkerHandle } from '#testing';

export type Body = Record<string, unknown>;

/** An entry of a worker's cache, as `GET /v1/entries` lists it. */
export interface HeldEntry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly replicas: number;
  readonly metadataOnly?: true;
}

export interface QuotaStatus {
  readonly path: string;
  readonly state: 'Available' | 'Exceeded';
  readonly quotaBytes: number;
  readonly usedBytes: number;
  readonly reservedBytes: number;
}

/** The final progress of a load, with the fields about quotas. */
export interface EndedJob extends Body {
  readonly id: string;
  readonly state: 'SUCCEEDED' | 'FAILED' | 'STOPPED';
  readonly errorMessage: { message?: string; failures?: { path: string; reason: string }[] };
  readonly quotaCheckError?: string;
}

const ended: readonly unknown[] = ['SUCCEEDED', 'FAILED', 'STOPPED'];

/** Makes a call that must return 200. */
export async function call<Answer = Body>(
  api: ApiClient,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Answer> {
  const answer = await api.request<Answer>(method, path, { body });
  if (answer.status !== 200) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer)}`);
  return answer.body;
}

/** Submits a job that must be new. @returns its final progress */
export async function runJob(api: ApiClient, kind: 'load' | 'free' | 'rebalance', body: Body): Promise<EndedJob> {
  const { id } = await call<{ id: string }>(api, 'POST', `/${kind}`, body);
  return jobEnd(api, kind, id);
}

export function jobEnd(api: ApiClient, kind: 'load' | 'free' | 'rebalance', id: string): Promise<EndedJob> {
  return eventually(
    `the end of ${kind} ${id}`,
    async () => {
      const progress = await call<EndedJob>(api, 'GET', `/${kind}?id=${id}`);
      return ended.includes(progress.state) && progress;
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
}

export const quotas = async (api: ApiClient): Promise<QuotaStatus[]> =>
  (await call<{ results: QuotaStatus[] }>(api, 'GET', '/quota')).results;

export const quotaAt = (api: ApiClient, path: string): Promise<QuotaStatus> =>
  call(api, 'GET', `/quota?path=${encodeURIComponent(path)}`);

/** Waits until every coordinator reports this many used bytes below the quota, and no reserved bytes. */
export async function untilUsed(cluster: TestCluster, path: string, usedBytes: number): Promise<void> {
  let last: unknown;
  const isRight = async () => {
    const seen = await Promise.all(cluster.coordinators.map(({ api }) => quotaAt(api, path)));
    last = seen;
    return seen.every((quota) => quota.usedBytes === usedBytes && quota.reservedBytes === 0);
  };
  await eventually(`${usedBytes} bytes are used below ${path}`, isRight, { timeoutMs: 10_000 }).catch(
    (error: unknown) => {
      throw new Error(`${(error as Error).message}; last: ${JSON.stringify(last)}`);
    },
  );
}

/** The paths whose bytes a worker holds. The question brings nothing into the cache and does not count as a read. */
export async function heldBy(worker: WorkerHandle, paths: readonly string[]): Promise<Set<string>> {
  const answer = await request(`http://${worker.address}/v1/lookup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ paths }),
  });
  const { entries } = (await answer.body.json()) as { entries: (unknown[] | null)[] };
  return new Set(paths.filter((_path, i) => entries[i] !== null));
}

/** The paths that at least one running worker holds. */
export async function heldByAny(cluster: TestCluster, paths: readonly string[]): Promise<Set<string>> {
  const running = cluster.workers.filter(({ process }) => process.running);
  const held = await Promise.all(running.map((worker) => heldBy(worker, paths)));
  return new Set(held.flatMap((some) => [...some]));
}

/** All entries of a worker's cache by path. @param ring ids of all members: one of them lists each entry */
export async function entriesOf(worker: WorkerHandle, ring: readonly string[]): Promise<Map<string, HeldEntry>> {
  const held = new Map<string, HeldEntry>();
  for (const owner of ring) {
    for (let after: string | undefined; ;) {
      const query = new URLSearchParams({ owner, ...(after === undefined ? {} : { after }) });
      const answer = await request(`http://${worker.address}/v1/entries?${query.toString()}`);
      const page = (await answer.body.json()) as { entries: HeldEntry[]; next?: string };
      for (const entry of page.entries) held.set(entry.path, entry);
      if (page.next === undefined) break;
      after = page.next;
    }
  }
  return held;
}

/** Files of a worker's cache on disk: sizes below `segments/`, `objects/` and `tmp/`. */
export function bytesOnDisk({ cacheDir }: WorkerHandle): { segments: number; objects: number[]; tmp: number[] } {
  const sizes = (directory: string): number[] => {
    if (!existsSync(join(cacheDir, directory))) return [];
    return readdirSync(join(cacheDir, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0);
  };
  return {
    segments: sizes('segments').reduce((sum, size) => sum + size, 0),
    objects: sizes('objects').sort((a, b) => a - b),
    tmp: sizes('tmp'),
  };
}

/** Reads like a client: the worker redirects to the owner, which fetches a missing file. */
export async function readThrough(worker: WorkerHandle, path: string): Promise<{ status: number; sha256: string }> {
  const answer = await fetch(`http://${worker.address}/v1/objects?path=${encodeURIComponent(path)}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export const pathsOf = (files: readonly SourceFile[]): string[] => files.map(({ path }) => path);

export const bytesOf = (files: Iterable<{ sizeBytes: number }>): number =>
  [...files].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
