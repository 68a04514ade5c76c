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

/**
 * About `size` transfers at once, shared fairly between stores, and within a store between jobs (max-min fairness: the
 * waiter that holds least is next). A store, or one of its jobs, that holds less than its share gets a slot at once,
 * even when all slots are taken: transfers cannot be taken back, so a store that stopped answering would keep the slots
 * of all others. With n stores there can therefore be up to size × (1 + 1/2 + … + 1/n) at once, until the transfers
 * beyond a share end. An aborted waiter leaves the queue.
 */
export class TransferSlots {
  private held = 0;
  private readonly holders = new Map<string, Holder>();
  /** By store and job, each in the order of the requests. */
  private readonly waiting = new Map<string, Set<Waiter>>();

  constructor(private readonly size: number) {}

  async run<T>(user: SlotUser, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    await this.take(user, signal);
    try {
      return await run();
    } finally {
      this.give(user);
    }
  }

  private take(user: SlotUser, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const key = keyOf(user);
    // A request waits behind earlier ones of the same job. While slots are free there are no waiters.
    if (!this.waiting.has(key) && (this.held < this.size || this.isBelowShare(user))) {
      this.count(user, 1);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        const queue = this.waiting.get(key);
        queue?.delete(waiter);
        if (queue?.size === 0) this.waiting.delete(key);
        signal.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        leave();
        reject(signal.reason as Error);
        // With fewer waiters, the shares of the others are larger.
        this.serve();
      };
      const waiter: Waiter = { ...user, grant: () => (leave(), resolve()) };
      signal.addEventListener('abort', aborted, { once: true });
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

  /** The waiter that holds least; when all slots are taken, only those below their share count. */
  private next(): Waiter | undefined {
    const hasRoom = this.held < this.size;
    let least: Waiter | undefined;
    for (const [first] of this.waiting.values()) {
      if (least && !this.isBefore(first, least)) continue;
      if (hasRoom || this.isBelowShare(first)) least = first;
    }
    return least;
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
    const ofStore = Math.max(1, Math.floor(this.size / (this.holders.size + newStores.size)));
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
