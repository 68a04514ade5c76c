import { setTimeout as delay } from 'node:timers/promises';
import { type WorkerClient } from '#contexts/membership/http';
import { type HashRing } from '#hash-ring';
import { DomainError } from '#kernel';
import { type UfsObject } from '#ufs';
import { type FileFailure, type Pass } from '../index.js';
import { type SourceFile } from '../kinds/index.js';
import { type QuotaLedger } from './quota-ledger.js';

export interface QuotaGatePorts {
  ledger: Pick<QuotaLedger, 'quotasOf' | 'exceeded' | 'limit' | 'estimate' | 'isExact' | 'isCounted' | 'refresh'>;
  jobId: string;
  workers: Pick<WorkerClient, 'lookup'>;
  /** Reserves bytes, under the quota boundary's expected sequence. @throws DomainError StaleVersion */
  reserve(pass: Pass, step: number, bytes: Record<string, number>): Promise<void>;
  /** The size of a file whose source does not tell it; undefined where it cannot be found out. */
  stat(path: string): Promise<UfsObject | undefined>;
  signal: AbortSignal;
}

export interface Admission {
  files: SourceFile[];
  refused: FileFailure[];
  /** Why some were refused. */
  error?: string;
}

/** How long to wait before the next look while the estimate may be too high, because bytes are on their way. */
const recheckMs = 100;
const lookupAtOnce = 2000;

/** Admits files to a load only as far as every quota above them holds. */
export class QuotaGate {
  constructor(private readonly ports: QuotaGatePorts) {}

  /** Those of the files that fit, in order, with the bytes they will add; room for them is reserved. */
  async admit(
    at: { pass: Pass; step: number },
    files: readonly SourceFile[],
    ring: HashRing,
    replicas: number,
  ): Promise<Admission> {
    if (!files.some(({ path }) => this.ports.ledger.quotasOf(path).length > 0))
      return { files: [...files], refused: [] };
    const measured = await this.measure(files, ring, replicas);
    for (;;) {
      this.ports.signal.throwIfAborted();
      const isKnown = await this.ports.ledger.refresh();
      const { admission, sums, contested } = this.fit(measured);
      const settled = contested.every((path) => this.isExact(path));
      if (!isKnown || !this.areCounted(measured) || (admission.refused.length > 0 && !settled)) {
        await this.pause();
        continue;
      }
      try {
        if (await this.reserve(at, sums)) return admission;
        await this.pause();
      } catch (error) {
        // Another job has just reserved: what is left may no longer do.
        if (!(error instanceof DomainError) || error.kind !== 'StaleVersion') throw error;
      }
    }
  }

  /** The reason why these files cannot all fit; undefined when they may, as far as is known. */
  async preflight(
    pages: AsyncIterable<readonly SourceFile[]>,
    ring: HashRing,
    replicas: number,
  ): Promise<string | undefined> {
    const added: Record<string, number> = {};
    for await (const files of pages) {
      for (const file of await this.measure(files, ring, replicas)) {
        for (const [path, bytes] of Object.entries(sumOf(file))) added[path] = (added[path] ?? 0) + bytes;
      }
      for (;;) {
        const beyond = () => Object.keys(added).filter((path) => added[path] > 0 && added[path] > this.remaining(path));
        if (beyond().length === 0) break;
        const isKnown = await this.ports.ledger.refresh();
        const over = beyond();
        if (isKnown && over.length > 0 && over.every((path) => this.isExact(path)))
          return this.ports.ledger.exceeded(over[0]);
        if (over.length > 0) await this.pause();
      }
    }
    return undefined;
  }

  /** Reserves the bytes. False: workers were granted the room meanwhile, and nothing is reserved. */
  private async reserve({ pass, step }: { pass: Pass; step: number }, sums: Record<string, number>): Promise<boolean> {
    const adds = Object.keys(sums).filter((path) => sums[path] > 0);
    if (adds.length === 0) return true;
    const { ledger } = this.ports;
    await this.ports.reserve(pass, step, sums);
    // Grants from here on count the reservation. Earlier grants show in the figures of their workers by now.
    const isKnown = await ledger.refresh();
    if (isKnown && adds.every((path) => ledger.estimate(path) <= ledger.limit(path))) return true;
    await this.ports.reserve(pass, step, {});
    return false;
  }

  private areCounted(files: readonly SourceFile[]): boolean {
    const quotas = new Set(files.flatMap((file) => Object.keys(sumOf(file))));
    return [...quotas].every((path) => this.ports.ledger.isCounted(path));
  }

  private isExact(quotaUfsPath: string): boolean {
    return this.ports.ledger.isExact(quotaUfsPath, this.ports.jobId);
  }

  private pause(): Promise<void> {
    return delay(recheckMs, undefined, { signal: this.ports.signal });
  }

  private fit(files: readonly SourceFile[]) {
    const sums: Record<string, number> = {};
    const contested = new Set<string>();
    const admission: Admission = { files: [], refused: [] };
    for (const file of files) {
      const adds = Object.entries(sumOf(file));
      // A quota that is full stays closed for the rest of the stretch: no smaller file is admitted after a larger one
      // was refused.
      const over = adds.find(
        ([path, bytes]) => bytes > 0 && (contested.has(path) || (sums[path] ?? 0) + bytes > this.remaining(path)),
      );
      if (over) {
        contested.add(over[0]);
        const reason = this.ports.ledger.exceeded(over[0]);
        admission.error ??= reason;
        admission.refused.push({ path: file.path, reason, attempts: 0 });
      } else {
        for (const [path, bytes] of adds) sums[path] = (sums[path] ?? 0) + bytes;
        admission.files.push(file);
      }
    }
    return { admission, sums, contested: [...contested] };
  }

  /**
   * The files with the bytes that each copy of them will add below each quota: its size minus that of the copy it
   * replaces.
   */
  private async measure(files: readonly SourceFile[], ring: HashRing, replicas: number): Promise<SourceFile[]> {
    const { ledger } = this.ports;
    const sized = await Promise.all(
      files.map(async (file) => {
        if (file.sizeBytes >= 0 || ledger.quotasOf(file.path).length === 0) return file;
        const object = await this.ports.stat(file.path);
        return object ? { ...file, sizeBytes: object.sizeBytes, version: object.version } : file;
      }),
    );
    const held = await this.heldSizes(sized, ring, replicas);
    return sized.map((file) => {
      const quotas = ledger.quotasOf(file.path);
      if (quotas.length === 0) return file;
      const quotaBytes = ring.owners(file.path, replicas).map((workerId) => {
        const added = Math.max(0, Math.max(0, file.sizeBytes) - (held.get(`${workerId} ${file.path}`) ?? 0));
        return Object.fromEntries(quotas.map(({ ufsPath }) => [ufsPath, added]));
      });
      return { ...file, quotaBytes };
    });
  }

  private async heldSizes(
    files: readonly SourceFile[],
    ring: HashRing,
    replicas: number,
  ): Promise<Map<string, number>> {
    const byWorker = new Map<string, string[]>();
    for (const { path } of files) {
      if (this.ports.ledger.quotasOf(path).length === 0) continue;
      for (const workerId of ring.owners(path, replicas)) {
        byWorker.set(workerId, [...(byWorker.get(workerId) ?? []), path]);
      }
    }
    const sizes = new Map<string, number>();
    for (const [workerId, paths] of byWorker) {
      for (let from = 0; from < paths.length; from += lookupAtOnce) {
        const some = paths.slice(from, from + lookupAtOnce);
        const entries = await this.ports.workers.lookup(workerId, some);
        entries.forEach((entry, i) => entry && sizes.set(`${workerId} ${some[i]}`, entry[0]));
      }
    }
    return sizes;
  }

  private remaining(quotaUfsPath: string): number {
    return this.ports.ledger.limit(quotaUfsPath) - this.ports.ledger.estimate(quotaUfsPath, this.ports.jobId);
  }
}

function sumOf(file: SourceFile): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const copy of file.quotaBytes ?? []) {
    for (const [path, bytes] of Object.entries(copy)) sums[path] = (sums[path] ?? 0) + bytes;
  }
  return sums;
}
