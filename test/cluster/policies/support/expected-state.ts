import assert from 'node:assert/strict';
import { eventually, type NodeStatus, type SourceFile, type TestCluster, type WorkerHandle } from '#testing';
import { bytesOf, bytesOnDisk, call, entriesOf, type HeldEntry, quotas } from './calls.js';

/** The limit of `libs/cache-store`: larger objects have a file each, smaller ones share segments. */
const packedObjectMaxBytes = 256 * 1024;
const recordHeaderBytes = 20;

/** The contents of all workers at one moment, provided that nothing moved while they were read. */
export interface Holdings {
  readonly nodes: readonly NodeStatus[];
  /** Members of the cluster, in the order of `nodes`. */
  readonly workers: readonly { worker: WorkerHandle; entries: ReadonlyMap<string, HeldEntry> }[];
  readonly cached: ReadonlySet<string>;
}

export async function holdings(cluster: TestCluster): Promise<Holdings> {
  const nodes = await cluster.api.nodes();
  const ring = nodes.map(({ identity }) => identity);
  const members = cluster.workers.filter(({ id }) => ring.includes(id));
  const workers = await Promise.all(
    members.map(async (worker) => ({ worker, entries: await entriesOf(worker, ring) })),
  );
  return { nodes, workers, cached: new Set(workers.flatMap(({ entries }) => [...entries.keys()])) };
}

/** Bytes of all copies at or below a UFS path without a trailing slash. */
export function cachedBytesBelow({ workers }: Holdings, ufsPath: string): number {
  return bytesOf(
    workers
      .flatMap(({ entries }) => [...entries.values()])
      .filter(({ path }) => path === ufsPath || path.startsWith(`${ufsPath}/`)),
  );
}

const filesOf = (sizes: readonly number[]): string => sizes.join(' + ');

export interface Expectations {
  readonly files: readonly SourceFile[];
  /** The UFS path of a path of the namespace, without a trailing slash. */
  readonly ufsPathOf: (path: string) => string;
  /** Paths that may be in the file index without a cached copy, because a client added them. */
  readonly added: ReadonlySet<string>;
  /** Paths that may be cached without being in the file index, because a client removed them. */
  readonly removed: ReadonlySet<string>;
  readonly capacityBytes: number;
}

/** Waits until all counts of cached bytes agree. @throws AssertionError naming those that differ */
export async function expectAgreement(cluster: TestCluster, expected: Expectations): Promise<Holdings> {
  let problems: string[] = [];
  let found: Holdings | undefined;
  const agrees = async () => {
    found = await holdings(cluster);
    problems = [
      ...found.workers.flatMap((one) => workerProblems(one, found!.nodes, expected)),
      ...(await quotaProblems(cluster, found, expected)),
      ...(await indexProblems(cluster, found, expected)),
    ];
    return problems.length === 0;
  };
  await eventually('all counts agree', agrees, { timeoutMs: 15_000, everyMs: 100 }).catch((error: unknown) => {
    throw new assert.AssertionError({ message: `${(error as Error).message}\n${problems.join('\n')}` });
  });
  return found!;
}

function workerProblems(
  { worker, entries }: Holdings['workers'][number],
  nodes: readonly NodeStatus[],
  { files, capacityBytes }: Expectations,
): string[] {
  const { name } = worker.process;
  const sizes = new Map(files.map(({ path, sizeBytes }) => [path, sizeBytes]));
  const held = [...entries.values()];
  const node = nodes.find(({ identity }) => identity === worker.id);
  const disk = bytesOnDisk(worker);
  const packed = held.filter(({ sizeBytes }) => sizeBytes <= packedObjectMaxBytes);
  const records = packed.map(({ path, sizeBytes }) => recordHeaderBytes + Buffer.byteLength(path) + sizeBytes);
  const recorded = records.reduce((sum, bytes) => sum + bytes, 0);
  const large = held.map(({ sizeBytes }) => sizeBytes).filter((sizeBytes) => sizeBytes > packedObjectMaxBytes);
  const objects = large.sort((a, b) => a - b);
  const inFiles = disk.objects.reduce((sum, bytes) => sum + bytes, 0);
  const checks: [boolean, string][] = [
    [node?.usedBytes === bytesOf(held), `usedBytes is ${node?.usedBytes}, its entries have ${bytesOf(held)}`],
    [node?.cachedObjects === held.length, `cachedObjects is ${node?.cachedObjects} of ${held.length} entries`],
    [held.every(({ path, sizeBytes }) => sizes.get(path) === sizeBytes), 'an entry is of another size than its source'],
    [disk.segments >= recorded, `segments have ${disk.segments} bytes for ${recorded} bytes of records`],
    [
      filesOf(disk.objects) === filesOf(objects),
      `object files: ${filesOf(disk.objects)}; entries: ${filesOf(objects)}`,
    ],
    [disk.segments + inFiles <= capacityBytes, `${disk.segments + inFiles} bytes on disk of ${capacityBytes}`],
    [disk.tmp.length === 0, `${disk.tmp.length} temporary files are left`],
  ];
  return checks.filter(([holds]) => !holds).map(([, problem]) => `${name}: ${problem}`);
}

async function quotaProblems(cluster: TestCluster, found: Holdings, { ufsPathOf }: Expectations): Promise<string[]> {
  const problems: string[] = [];
  for (const { api, process } of cluster.coordinators) {
    for (const { path, state, quotaBytes, usedBytes, reservedBytes } of await quotas(api)) {
      const cached = cachedBytesBelow(found, ufsPathOf(path));
      const where = `${process.name}: the quota of ${path}`;
      if (usedBytes !== cached) problems.push(`${where} says ${usedBytes} bytes are used, cached are ${cached}`);
      if (reservedBytes !== 0) problems.push(`${where} has ${reservedBytes} bytes reserved although nothing runs`);
      if ((state === 'Exceeded') !== usedBytes > quotaBytes) {
        problems.push(`${where} is ${state} with ${usedBytes} of ${quotaBytes}`);
      }
    }
  }
  return problems;
}

async function indexProblems(
  cluster: TestCluster,
  { cached }: Holdings,
  { added, removed }: Expectations,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { api, process } of cluster.coordinators) {
    const listed = await fileIndex(api);
    const where = `${process.name}: the file index`;
    if (new Set(listed).size !== listed.length) problems.push(`${where} lists a path twice`);
    const inOrder = [...listed].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    if (inOrder.join('\n') !== listed.join('\n')) problems.push(`${where} is not in byte order`);
    const index = new Set(listed);
    for (const path of index) if (!cached.has(path) && !added.has(path)) problems.push(`${where} lists ${path}`);
    for (const path of cached) if (!index.has(path) && !removed.has(path)) problems.push(`${where} lacks ${path}`);
  }
  return problems;
}

export const fileIndex = async (api: TestCluster['api']): Promise<string[]> =>
  (await call<{ results: string[] }>(api, 'GET', '/file_index')).results;
