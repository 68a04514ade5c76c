import { setTimeout as delay } from 'node:timers/promises';
import type { CacheStore } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { QuotaClaim } from '#contexts/membership';
import { ufsPolicies, type NamespaceState, type UfsPolicies } from '#contexts/namespace';
import type { RoomClaim } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import type { Logger } from 'pino';
import { z } from 'zod';

const grantSchema = z.object({ granted: z.boolean(), reason: z.string().optional(), unsure: z.boolean().optional() });
type Grant = z.infer<typeof grantSchema>;
const timeoutMs = 2000;
/** When no coordinator could answer, a batch asks again after this time. */
const againMs = 250;

/** Asks the coordinators, which know what all workers hold. @throws DomainError Unavailable */
export type AskForGrant = (
  request: { workerId: string; id: string; path: string; bytes: number },
  timeoutMs: number,
) => Promise<unknown>;

/** A copy on its way into the cache. */
interface Open {
  readonly id: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly batch?: QuotaClaim['batch'];
}

/**
 * Lists the copies that are on their way into this worker's cache. Coordinators read the list when they decide about a
 * quota. A claim is entered before a coordinator is asked and stays until the cache counts the bytes as held. The worker
 * asks a coordinator only for bytes that no job has reserved.
 */
export class QuotaClaims {
  private quotas: UfsPolicies['quotas'] | undefined;
  private readonly open = new Map<string, Open>();
  private lastId = 0;
  private ask: AskForGrant | undefined;

  constructor(
    private readonly workerId: string,
    private readonly cache: CacheStore,
    private readonly logger: Logger,
  ) {}

  follow(namespace: NamespaceState): void {
    this.quotas = ufsPolicies(namespace).quotas;
  }

  connect(ask: AskForGrant): void {
    this.ask = ask;
  }

  /** The claims below quotas that add bytes, by what the cache holds at this moment. */
  describe(): QuotaClaim[] {
    return [...this.open.values()]
      .map((one) => ({
        id: one.id,
        bytes: this.added(one),
        ufsPaths: this.quotasAbove(one.path),
        ...(one.batch && { batch: one.batch }),
      }))
      .filter(({ bytes, ufsPaths }) => bytes > 0 && ufsPaths.length > 0);
  }

  /**
   * Room for an object that a reader asked for; undefined where a quota leaves none. A quota counts as full also when
   * no coordinator answers in time.
   */
  async forReader(path: string, sizeBytes: number): Promise<RoomClaim | undefined> {
    const { entry, release } = this.enter(path, sizeBytes);
    const answer = await this.askFor(entry, this.added(entry)).catch((error: unknown) => {
      release();
      throw error;
    });
    if (answer.granted) return { release };
    release();
    if (answer.unsure) this.logger.warn({ path, reason: answer.reason }, 'no answer about a quota: not kept');
    return undefined;
  }

  /**
   * Room for the copies that a batch brings in: what its owner has reserved, and beyond that what coordinators grant.
   * @param moves the copies are moved here from other workers: they are counted, but need no grant
   */
  forBatch(
    batch: WorkBatch,
    moves: boolean,
    signal: AbortSignal,
  ): (path: string, sizeBytes: number) => Promise<RoomClaim> {
    const left = { ...batch.quotaBytes };
    return async (path, sizeBytes) => {
      const reserved: Record<string, number> = {};
      const { jobId, batchId } = batch;
      const { entry, release } = this.enter(path, sizeBytes, { jobId, batchId, reserved });
      const quotas = this.quotasAbove(path);
      if (quotas.length === 0) return { release };
      const added = this.added(entry);
      for (const quota of quotas) {
        reserved[quota] = Math.min(added, left[quota] ?? 0);
        left[quota] = (left[quota] ?? 0) - reserved[quota];
      }
      const beyond = Math.max(0, ...Object.values(reserved).map((bytes) => added - bytes));
      if (moves || batch.quotaBytes === undefined || beyond === 0) return { release };
      try {
        await this.untilGranted(entry, beyond, signal);
        return { release };
      } catch (error) {
        release();
        throw error;
      }
    };
  }

  /** @throws DomainError Refused; the signal's reason when aborted */
  private async untilGranted(entry: Open, bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { granted, unsure, reason } = await this.askFor(entry, bytes);
      signal.throwIfAborted();
      if (granted) return;
      if (!unsure) throw new DomainError('Refused', 'quota-exceeded', reason ?? 'a quota would be exceeded');
      await delay(againMs, undefined, { signal });
    }
  }

  private async askFor({ id, path }: Open, bytes: number): Promise<Grant> {
    if (this.quotasAbove(path).length === 0) return { granted: true };
    try {
      return grantSchema.parse(await this.ask?.({ workerId: this.workerId, id, path, bytes }, timeoutMs));
    } catch (error) {
      if (!(error instanceof DomainError) && !(error instanceof z.ZodError)) throw error;
      return { granted: false, unsure: true, reason: error.message };
    }
  }

  private enter(path: string, sizeBytes: number, batch?: QuotaClaim['batch']): { entry: Open; release: () => void } {
    const id = `${this.workerId}.${++this.lastId}`;
    const entry: Open = { id, path, sizeBytes, ...(batch && { batch }) };
    this.open.set(id, entry);
    return { entry, release: () => void this.open.delete(id) };
  }

  /** The copy that it replaces may be removed meanwhile: then it adds all of its bytes. */
  private added({ path, sizeBytes }: Open): number {
    const held = this.cache.get(path);
    return Math.max(0, sizeBytes - (held && !held.metadataOnly ? held.sizeBytes : 0));
  }

  private quotasAbove(path: string): string[] {
    return this.quotas?.covering(path).map(({ ufsPath }) => ufsPath) ?? [];
  }
}
