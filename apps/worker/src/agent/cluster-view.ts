import { membershipView, ringMembers } from '#contexts/membership';
import { mountOfUfsPath, namespaceView, storeOfMount, type Mount, type NamespaceState } from '#contexts/namespace';
import { HashRing } from '#hash-ring';
import type { ClusterMembers } from '#job-kinds';
import { DomainError, type Commit } from '#kernel';

export interface ClusterViewListener {
  /** Mounts or policies are others than before, since `atMs` by the clock of who decided it (ms since the epoch). */
  namespaceChanged(namespace: NamespaceState, atMs: number): void;
}

/** The cluster as this worker follows it from the log: what is mounted under which policies, and who belongs to it. */
export class ClusterView {
  private readonly namespaceState = namespaceView.initial();
  private readonly membership = membershipView.initial();
  private readonly waiting = new Set<() => void>();
  private known: ClusterMembers | undefined;
  private isRead = false;

  constructor(
    readonly workerId: string,
    private readonly listener: ClusterViewListener,
  ) {}

  evolve(commit: Commit): void {
    const before = this.namespaceState.state;
    namespaceView.evolve(this.namespaceState, commit);
    membershipView.evolve(this.membership, commit);
    if (this.namespaceState.state !== before) {
      const atMs = Date.parse(commit.events.at(-1)?.at ?? '');
      this.listener.namespaceChanged(this.namespaceState.state, Number.isNaN(atMs) ? Date.now() : atMs);
    }
    for (const look of [...this.waiting]) look();
  }

  /** All that was in the log when this process began to read has been taken in: from now on the mount table counts. */
  noteRead(): void {
    this.isRead = true;
  }

  /**
   * To be asked before anything is served by the mount table. While the log is being read the table is one of long ago,
   * and says neither what may be served nor what is not there. Once read, the last one known counts, also without NATS.
   * @throws DomainError Unavailable
   */
  requireNamespace(): void {
    if (this.isRead) return;
    const text = 'this worker has not read the mount table yet, and cannot tell what may be read';
    throw new DomainError('Unavailable', 'mounts-unknown', text);
  }

  /** Log sequence of the last change of mounts or policies that is included. */
  get namespaceSequence(): number {
    return this.namespaceState.sequence;
  }

  /** Whether mounts and policies are those of this log sequence or later, at the latest after this time. */
  async namespaceAt(sequence: number, timeoutMs: number): Promise<boolean> {
    const found = await this.until(() => (this.namespaceSequence >= sequence ? true : undefined), timeoutMs);
    return found ?? false;
  }

  get namespace(): NamespaceState {
    return this.namespaceState.state;
  }

  mountOf(ufsPath: string): Mount | undefined {
    return mountOfUfsPath(this.namespace, ufsPath);
  }

  /** The store that is mounted there. */
  storeOf(ufsPath: string): string | undefined {
    const mount = this.mountOf(ufsPath);
    return mount && storeOfMount(mount);
  }

  /** As far as the log has been read. */
  members(): ClusterMembers {
    const { sequence, state } = this.membership;
    if (this.known?.sequence !== sequence) {
      this.known = { sequence, ring: new HashRing(ringMembers(state)), workers: state.workers };
    }
    return this.known;
  }

  /** The members as of this log sequence or later; undefined when the log has not come so far within the time. */
  membersAt(sequence: number, timeoutMs: number): Promise<ClusterMembers | undefined> {
    return this.until(() => (this.membership.sequence >= sequence ? this.members() : undefined), timeoutMs);
  }

  /** Whether the ring gives a copy of this path to this worker. */
  owns(path: string, replicas: number): boolean {
    return this.members().ring.owners(path, replicas).includes(this.workerId);
  }

  /** Whether an operator has taken this very process of the worker out of the cluster. */
  isDecommissioned(bootId: string): boolean {
    const { workers } = this.members();
    const worker = Object.hasOwn(workers, this.workerId) ? workers[this.workerId] : undefined;
    return worker?.status === 'decommissioned' && worker.bootId === bootId;
  }

  /** Looks now and after each commit; undefined when nothing was found within the time. */
  private until<T>(find: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    const now = find();
    if (now !== undefined) return Promise.resolve(now);
    return new Promise((resolve) => {
      const done = (answer: T | undefined) => {
        this.waiting.delete(look);
        clearTimeout(timer);
        resolve(answer);
      };
      const look = () => {
        const found = find();
        if (found !== undefined) done(found);
      };
      const timer = setTimeout(() => done(undefined), timeoutMs);
      this.waiting.add(look);
    });
  }
}
