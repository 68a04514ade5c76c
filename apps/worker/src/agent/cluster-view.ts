import { membershipView, ringMembers } from '#contexts/membership';
import { mountOfUfsPath, namespaceView, type Mount, type NamespaceState } from '#contexts/namespace';
import { HashRing } from '#hash-ring';
import type { ClusterMembers } from '#job-kinds';
import type { Commit } from '#kernel';

export interface ClusterViewListener {
  /** Mounts or policies are others than before. */
  namespaceChanged(namespace: NamespaceState): void;
}

/** The cluster as this worker follows it from the log: what is mounted under which policies, and who belongs to it. */
export class ClusterView {
  private readonly namespaceState = namespaceView.initial();
  private readonly membership = membershipView.initial();
  private readonly waiting = new Set<() => void>();
  private known: ClusterMembers | undefined;

  constructor(
    readonly workerId: string,
    private readonly listener: ClusterViewListener,
  ) {}

  evolve(commit: Commit): void {
    const before = this.namespaceState.state;
    namespaceView.evolve(this.namespaceState, commit);
    membershipView.evolve(this.membership, commit);
    if (this.namespaceState.state !== before) this.listener.namespaceChanged(this.namespaceState.state);
    for (const look of [...this.waiting]) look();
  }

  get namespace(): NamespaceState {
    return this.namespaceState.state;
  }

  mountOf(ufsPath: string): Mount | undefined {
    return mountOfUfsPath(this.namespace, ufsPath);
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
    const newEnough = () => (this.membership.sequence >= sequence ? this.members() : undefined);
    const members = newEnough();
    if (members) return Promise.resolve(members);
    return new Promise((resolve) => {
      const done = (answer: ClusterMembers | undefined) => {
        this.waiting.delete(look);
        clearTimeout(timer);
        resolve(answer);
      };
      const look = () => {
        const found = newEnough();
        if (found) done(found);
      };
      const timer = setTimeout(() => done(undefined), timeoutMs);
      this.waiting.add(look);
    });
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
}
