import { offAbort, onAbort } from '#async';
import type { TransferSlot } from '#contexts/jobs/kinds';
import { StoreWaiting, UfsError } from '#ufs';
import type { ConcurrencyLimit } from './concurrency-limit.js';

/** What a slot is used for. */
export interface SlotUser {
  /** Where the bytes come from: a mount's root, or another worker. */
  store: string;
  jobId: string;
}

interface Waiter extends SlotUser {
  grant(): void;
}

/** The slots that one store holds: in all, and by job. */
interface Holder {
  held: number;
  readonly byJob: Map<string, number>;
}

export interface SlotLimits {
  /** Most transfers at once, of all stores together. */
  readonly size: number;
  /** Most bytes that may have arrived, and wait for the disk, without a slot. Default 0: a slot is held to the end. */
  readonly maxLandingBytes?: number;
  /** How many transfers of one store may be under way at present. Default: as many as there are slots. */
  readonly limitOf?: (store: string) => ConcurrencyLimit;
}

/**
 * About `size` transfers at once, shared fairly between stores, and within a store between jobs (max-min fairness: the
 * waiter that holds least is next), and no more of one store than its limit allows at present. A store, or one of its
 * jobs, that holds less than its share gets a slot at once, even when all slots are taken: transfers cannot be taken
 * back, so a store that stopped answering would keep the slots of all others. With n stores there can therefore be up
 * to size × (1 + 1/2 + … + 1/n) at once, until the transfers beyond a share end. An aborted waiter leaves the queue.
 *
 * A slot stands for a transfer over the link. When the bytes have arrived, the next transfer may begin while these wait
 * for the disk. Those that wait are bounded by their bytes: beyond that, a transfer keeps its slot to its end, so that
 * a slow disk slows the transfers down.
 */
export class TransferSlots {
  private held = 0;
  private landingBytes = 0;
  private readonly holders = new Map<string, Holder>();
  /** By store and job, each in the order of the requests. */
  private readonly waiting = new Map<string, Set<Waiter>>();

  constructor(private readonly limits: SlotLimits) {}

  async run<T>(user: SlotUser, signal: AbortSignal, run: (slot: TransferSlot) => Promise<T>): Promise<T> {
    await this.take(user, signal);
    const limit = this.limits.limitOf?.(user.store);
    const startMs = performance.now();
    let landed = 0;
    let isHeld = true;
    let isTold = false;
    const give = () => {
      if (isHeld) this.give(user);
      isHeld = false;
    };
    const arrived = (bytes: number) => {
      if (!isHeld) return;
      limit?.ended(this.ofStore(user), performance.now() - startMs);
      isTold = true;
      if (this.landingBytes + bytes > (this.limits.maxLandingBytes ?? 0)) return;
      landed = bytes;
      this.landingBytes += bytes;
      give();
    };
    try {
      const result = await run({ arrived });
      if (!isTold) limit?.ended(this.ofStore(user));
      return result;
    } catch (error) {
      if (isRefusal(error)) limit?.refused();
      throw error;
    } finally {
      this.landingBytes -= landed;
      give();
    }
  }

  private take(user: SlotUser, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const key = keyOf(user);
    // A request waits behind earlier ones of the same job.
    if (!this.waiting.has(key) && this.mayStart(user)) {
      this.count(user, 1);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        const queue = this.waiting.get(key);
        queue?.delete(waiter);
        if (queue?.size === 0) this.waiting.delete(key);
        offAbort(signal, aborted);
      };
      const aborted = () => {
        leave();
        reject(signal.reason as Error);
        // With fewer waiters, the shares of the others are larger.
        this.serve();
      };
      const waiter: Waiter = { ...user, grant: () => (leave(), resolve()) };
      onAbort(signal, aborted);
      const queue = this.waiting.get(key) ?? new Set();
      this.waiting.set(key, queue.add(waiter));
    });
  }

  private give(user: SlotUser): void {
    this.count(user, -1);
    this.serve();
  }

  private serve(): void {
    for (let next = this.next(); next; next = this.next()) {
      this.count(next, 1);
      next.grant();
    }
  }

  /** Of the waiters that may start, the one that holds least. */
  private next(): Waiter | undefined {
    let least: Waiter | undefined;
    for (const [first] of this.waiting.values()) {
      if (least && !this.isBefore(first, least)) continue;
      if (this.mayStart(first)) least = first;
    }
    return least;
  }

  /** While slots are free and its store's limit allows it; when all are taken, only below its share. */
  private mayStart(user: SlotUser): boolean {
    const { size, limitOf } = this.limits;
    if (this.held < size) return this.ofStore(user) < (limitOf?.(user.store).value ?? size) || this.isBelowShare(user);
    return this.isBelowShare(user);
  }

  private isBefore(one: SlotUser, other: SlotUser): boolean {
    const stores = this.ofStore(one) - this.ofStore(other);
    return stores < 0 || (stores === 0 && this.ofJob(one) < this.ofJob(other));
  }

  private isBelowShare(user: SlotUser): boolean {
    const jobs = this.holders.get(user.store)?.byJob;
    // Stores that hold a slot, wait for one or ask for one have a share.
    const newStores = new Set<string>();
    const newJobs = new Set<string>();
    const askers = [user, ...[...this.waiting.values()].map(([first]) => first)];
    for (const { store, jobId } of askers) {
      if (!this.holders.has(store)) newStores.add(store);
      if (store === user.store && !jobs?.has(jobId)) newJobs.add(jobId);
    }
    const stores = this.holders.size + newStores.size;
    const most = this.limits.limitOf?.(user.store).value ?? this.limits.size;
    const ofStore = Math.max(1, Math.min(most, Math.floor(this.limits.size / stores)));
    const ofJob = Math.max(1, Math.floor(ofStore / ((jobs?.size ?? 0) + newJobs.size)));
    return this.ofJob(user) < ofJob;
  }

  private ofStore({ store }: SlotUser): number {
    return this.holders.get(store)?.held ?? 0;
  }

  private ofJob({ store, jobId }: SlotUser): number {
    return this.holders.get(store)?.byJob.get(jobId) ?? 0;
  }

  private count({ store, jobId }: SlotUser, change: 1 | -1): void {
    this.held += change;
    const holder = this.holders.get(store) ?? { held: 0, byJob: new Map<string, number>() };
    holder.held += change;
    const ofJob = (holder.byJob.get(jobId) ?? 0) + change;
    if (ofJob === 0) holder.byJob.delete(jobId);
    else holder.byJob.set(jobId, ofJob);
    if (holder.held === 0) this.holders.delete(store);
    else this.holders.set(store, holder);
  }
}

const keyOf = ({ store, jobId }: SlotUser): string => `${store}\0${jobId}`;

/** Signs that a store has too many requests at once. A request that was held back is none: the store was not asked. */
function isRefusal(error: unknown): boolean {
  if (error instanceof StoreWaiting && !error.wasSent) return false;
  return error instanceof UfsError && (error.code === 'Throttled' || error.code === 'Timeout');
}
