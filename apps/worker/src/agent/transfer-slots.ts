/** Who a slot is for. */
export interface SlotUser {
  /** Where the bytes come from: a mount's root, or another worker. */
  store: string;
  jobId: string;
}

interface Waiter extends SlotUser {
  grant(): void;
}

/**
 * About `size` transfers at once, shared out fairly by store, and within a store by job (max-min fairness: whoever holds
 * least is next). A store, or a job of it, that holds less than its share goes ahead at once, even when all slots are
 * taken: transfers cannot be taken back, and a store that has stopped answering would otherwise keep the slots of all
 * others. So with n stores there may be up to size × (1 + 1/2 + … + 1/n) at once, until those beyond their share end.
 * Who is aborted while waiting leaves the queue.
 */
export class TransferSlots {
  private held = 0;
  private readonly byStore = new Map<string, number>();
  private readonly byJob = new Map<string, number>();
  /** By store and job, each in the order they asked. */
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
    return new Promise((resolve, reject) => {
      const key = keyOf(user);
      const leave = () => {
        const queue = this.waiting.get(key);
        queue?.delete(waiter);
        if (queue?.size === 0) this.waiting.delete(key);
        signal.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        leave();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = { ...user, grant: () => (leave(), resolve()) };
      signal.addEventListener('abort', aborted, { once: true });
      const queue = this.waiting.get(key) ?? new Set();
      this.waiting.set(key, queue.add(waiter));
      this.serve();
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

  /** Whoever holds least; without room, of those that hold less than their share. */
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
    const stores = new Set(this.byStore.keys());
    const jobs = new Set([...this.byJob.keys()].filter((key) => key.startsWith(prefixOf(user))));
    for (const [first] of this.waiting.values()) {
      stores.add(first.store);
      if (first.store === user.store) jobs.add(keyOf(first));
    }
    const ofStore = Math.max(1, Math.floor(this.size / stores.size));
    const ofJob = Math.max(1, Math.floor(ofStore / jobs.size));
    return this.ofJob(user) < ofJob;
  }

  private ofStore({ store }: SlotUser): number {
    return this.byStore.get(store) ?? 0;
  }

  private ofJob(user: SlotUser): number {
    return this.byJob.get(keyOf(user)) ?? 0;
  }

  private count(user: SlotUser, change: 1 | -1): void {
    this.held += change;
    add(this.byStore, user.store, change);
    add(this.byJob, keyOf(user), change);
  }
}

const prefixOf = ({ store }: SlotUser): string => `${store}\0`;
const keyOf = (user: SlotUser): string => prefixOf(user) + user.jobId;

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
