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
    signal.throwIfAborted();
    const key = keyOf(user);
    // A request waits behind earlier ones of the same job.
    if (!this.waiting.has(key) && this.mayStart(user)) this.count(user, 1);
    else await this.turn(user, key, signal);
    const slot = new HeldSlot(user, this);
    try {
      const result = await run(slot);
      slot.ended();
      return result;
    } catch (error) {
      if (isRefusal(error)) this.limitOf(user)?.refused();
      throw error;
    } finally {
      slot.release();
    }
  }

  /** For a held slot only. @param latencyMs absent where no bytes were waited for */
  tellLimit(user: SlotUser, latencyMs?: number): void {
    this.limitOf(user)?.ended(this.ofStore(user), latencyMs);
  }

  /** For a held slot only. Returns whether so many bytes may wait for the disk without a slot. */
  land(bytes: number): boolean {
    if (this.landingBytes + bytes > (this.limits.maxLandingBytes ?? 0)) return false;
    this.landingBytes += bytes;
    return true;
  }

  /** For a held slot only: what was landing is on the disk, or has failed. */
  landed(bytes: number): void {
    this.landingBytes -= bytes;
  }

  private limitOf({ store }: SlotUser): ConcurrencyLimit | undefined {
    return this.limits.limitOf?.(store);
  }

  private turn(user: SlotUser, key: string, signal: AbortSignal): Promise<void> {
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

  /** For a held slot only. */
  give(user: SlotUser): void {
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

/** One transfer's slot: held until its bytes have arrived, or until its end. */
class HeldSlot implements TransferSlot {
  private readonly startMs = performance.now();
  private landingBytes = 0;
  private isHeld = true;
  private isTold = false;

  constructor(
    private readonly user: SlotUser,
    private readonly slots: TransferSlots,
  ) {}

  arrived(bytes: number): void {
    if (!this.isHeld) return;
    this.slots.tellLimit(this.user, performance.now() - this.startMs);
    this.isTold = true;
    if (!this.slots.land(bytes)) return;
    this.landingBytes = bytes;
    this.give();
  }

  /** Without an error. */
  ended(): void {
    if (!this.isTold) this.slots.tellLimit(this.user);
  }

  release(): void {
    if (this.landingBytes > 0) this.slots.landed(this.landingBytes);
    this.give();
  }

  private give(): void {
    if (this.isHeld) this.slots.give(this.user);
    this.isHeld = false;
  }
}

const keyOf = ({ store, jobId }: SlotUser): string => `${store}\0${jobId}`;

/** Signs that a store has too many requests at once. A request that was held back is none: the store was not asked. */
function isRefusal(error: unknown): boolean {
  if (error instanceof StoreWaiting && !error.wasSent) return false;
  return error instanceof UfsError && (error.code === 'Throttled' || error.code === 'Timeout');
}
