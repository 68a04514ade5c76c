import { membershipView, type MembershipState } from '#contexts/membership';
import { mountOfUfsPath, namespaceView, type Mount } from '#contexts/namespace';
import type { Commit } from '#kernel';

/** The cluster as this worker follows it from the log: what is mounted, and whether it is still a member itself. */
export class ClusterView {
  private readonly namespace = namespaceView.initial();
  private readonly membership = membershipView.initial();

  /** @param mountsChanged called with the whole new table */
  constructor(private readonly mountsChanged: (mounts: readonly Mount[]) => void) {}

  evolve(commit: Commit): void {
    const before = this.namespace.state;
    namespaceView.evolve(this.namespace, commit);
    membershipView.evolve(this.membership, commit);
    if (this.namespace.state !== before) this.mountsChanged(this.namespace.state.mounts);
  }

  mountOf(ufsPath: string): Mount | undefined {
    return mountOfUfsPath(this.namespace.state, ufsPath);
  }

  /** Whether an operator has taken this very process of the worker out of the cluster. */
  isDecommissioned(workerId: string, bootId: string): boolean {
    const { workers }: MembershipState = this.membership.state;
    const worker = Object.hasOwn(workers, workerId) ? workers[workerId] : undefined;
    return worker?.status === 'decommissioned' && worker.bootId === bootId;
  }
}
