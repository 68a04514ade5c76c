import { createHash } from 'node:crypto';
import { batchId, maxBatchFiles, maxBatchNameBytes, type Pass, type WorkBatch } from '../index.js';
import { type HashRing } from '#hash-ring';
import type { BatchPlan, SourceFile } from './coordinator-kind.js';

/** A batch before it is sent: the files for one worker. `copy` says which replica of the files it is. */
export interface DraftBatch {
  id: string;
  workerId: string;
  copy: number;
  bytes: number;
  quotaBytes?: Record<string, number>;
  root: string;
  files: WorkBatch['files'];
}

/** A batch closes at this many bytes, so that it takes a worker seconds, not minutes. */
const maxBatchBytes = 256 * 1024 * 1024;

interface Group {
  workerId: string;
  copy: number;
  files: SourceFile[];
  bytes: number;
  nameBytes: number;
}

/**
 * Groups files by the workers that own them and cuts the groups into batches. Pure: the same files, ring and plan give
 * the same batches with the same ids, so that walking a stretch of the source twice gives the same work.
 */
export function planBatches(
  jobId: string,
  pass: Pass,
  step: number,
  files: readonly SourceFile[],
  ring: HashRing,
  plan: BatchPlan,
): DraftBatch[] {
  const drafts: DraftBatch[] = [];
  /** By copy, then by worker. In the order in which they begin. */
  const groups: Map<string, Group>[] = [];
  const inOrder: Group[] = [];
  const limit = Math.min(plan.batchSize, maxBatchFiles);
  const close = (group: Group): void => {
    if (group.files.length > 0) drafts.push(draft(jobId, pass, step, group));
    Object.assign(group, { files: [], bytes: 0, nameBytes: 0 });
  };
  const groupOf = (workerId: string, copy: number): Group => {
    const ofCopy = (groups[copy] ??= new Map());
    let group = ofCopy.get(workerId);
    if (!group) {
      ofCopy.set(workerId, (group = { workerId, copy, files: [], bytes: 0, nameBytes: 0 }));
      inOrder.push(group);
    }
    return group;
  };
  for (const file of files) {
    const nameBytes = Buffer.byteLength(file.path) + file.version.length;
    const workers = workersOf(file, ring, plan);
    for (let i = 0; i < workers.length; i++) {
      // In a broadcast every worker does its own part of the work. No part is a replica of another one, so `copy` is 0.
      const group = groupOf(workers[i], plan.placement === 'broadcast' ? 0 : i);
      if (group.nameBytes + nameBytes > maxBatchNameBytes) close(group);
      group.files.push(file);
      group.bytes += Math.max(file.sizeBytes, 0);
      group.nameBytes += nameBytes;
      if (group.files.length >= limit || group.bytes >= maxBatchBytes) close(group);
    }
  }
  for (const group of inOrder) close(group);
  return drafts;
}

function workersOf(file: SourceFile, ring: HashRing, plan: BatchPlan): readonly string[] {
  if (file.workerId !== undefined) return [file.workerId];
  return plan.placement === 'broadcast' ? ring.members : ring.owners(file.path, plan.replicas);
}

function draft(jobId: string, pass: Pass, step: number, group: Group): DraftBatch {
  const { workerId, copy, bytes } = group;
  const root = commonDirectory(group.files);
  const files: WorkBatch['files'] = group.files.map(({ path, sizeBytes, version }) => [
    path.slice(root.length),
    sizeBytes,
    version,
  ]);
  const content = JSON.stringify([jobId, copy, workerId, root, files]);
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 24);
  const quotaBytes = sumQuotas(group);
  return { id: batchId(pass, step, digest), workerId, copy, bytes, root, files, ...(quotaBytes ? { quotaBytes } : {}) };
}

function sumQuotas({ files, copy }: Group): Record<string, number> | undefined {
  const sums: Record<string, number> = {};
  for (const file of files) {
    for (const [path, bytes] of Object.entries(file.quotaBytes?.[copy] ?? {})) sums[path] = (sums[path] ?? 0) + bytes;
  }
  return Object.keys(sums).length > 0 ? sums : undefined;
}

/** The longest prefix ending in `/` that all paths share; names in a batch are relative to it. */
function commonDirectory(files: readonly SourceFile[]): string {
  let prefix = files[0].path;
  for (const { path } of files) {
    if (path.startsWith(prefix)) continue;
    let i = 0;
    while (i < prefix.length && prefix[i] === path[i]) i++;
    prefix = prefix.slice(0, i);
  }
  return prefix.slice(0, prefix.lastIndexOf('/') + 1);
}
