import { Bell, within } from '#async';
import { membershipView, ringMembers } from '#contexts/membership';
import { mountOfUfsPath, namespaceView, storeOfMount, type Mount, type NamespaceState } from '#contexts/namespace';
import { HashRing } from '#hash-ring';
import type { ClusterMembers } from '#contexts/jobs/kinds';
import { DomainError, type Commit } from '#kernel';

export interface ClusterViewListener {
  /**
   * Mounts or policies have changed. `atMs`: when, by the clock of the process that decided it (ms since the epoch).
   */
  namespaceChanged(namespace: NamespaceState, atMs: number): void;
}

/** A reader of an unmounted path waits at most this long for the newest mount table. */
const catchUpWithinMs = 1000;

/** The cluster as this worker follows it from the log: mounts, policies and members. */
export class ClusterView {
  private readonly namespaceState = namespaceView.initial();
  private readonly membership = membershipView.initial();
  private readonly news = new Bell();
  private known: ClusterMembers | undefined;
  private isRead = false;
  private catchUp: (() => Promise<unknown>) | undefined;

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
    this.news.sound();
  }

  /** Everything that was in the log when this process began to read is included: from now on the mount table counts. */
  noteRead(): void {
    this.isRead = true;
  }

  /** @param catchUp resolves when everything that was in the log at the call is included; may fail */
  catchUpBy(catchUp: () => Promise<unknown>): void {
    this.catchUp = catchUp;
  }

  /**
   * Call this before serving anything by the mount table. While the log is being read, the table is an old one: it
   * cannot tell what may be served, nor what is missing. After that the last known table counts, also without NATS.
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

  /** Whether mounts and policies are those of this log sequence or later. Waits at most this time. */
  async namespaceAt(sequence: number, timeoutMs: number): Promise<boolean> {
    const found = await this.news.until(() => this.namespaceSequence >= sequence || undefined, timeoutMs);
    return found ?? false;
  }

  get namespace(): NamespaceState {
    return this.namespaceState.state;
  }

  mountOf(ufsPath: string): Mount | undefined {
    return mountOfUfsPath(this.namespace, ufsPath);
  }

  /** The store that is mounted at the path. */
  storeOf(ufsPath: string): string | undefined {
    const mount = this.mountOf(ufsPath);
    return mount && storeOfMount(mount);
  }

  /**
   * The store that is mounted at the path, if it is the meant one (where one is given). A mount that was made a moment
   * ago may be unknown here: before the answer is no, the log is read to its end, if that can be done soon.
   */
  async readableStoreOf(ufsPath: string, meant?: string): Promise<string | undefined> {
    const isRight = (store: string | undefined) => store !== undefined && (meant === undefined || store === meant);
    if (isRight(this.storeOf(ufsPath)) || this.catchUp === undefined) return this.storeOf(ufsPath);
    // Without NATS the last known table counts.
    const caughtUp = this.catchUp().catch(() => undefined);
    await within(caughtUp, catchUpWithinMs);
    return this.storeOf(ufsPath);
  }

  /** The members as far as the log has been read. */
  members(): ClusterMembers {
    const { sequence, state } = this.membership;
    if (this.known?.sequence !== sequence) {
      this.known = { sequence, ring: new HashRing(ringMembers(state)), workers: state.workers };
    }
    return this.known;
  }

  /** The members as of this log sequence or later; undefined when the log is not read that far within the time. */
  membersAt(sequence: number, timeoutMs: number): Promise<ClusterMembers | undefined> {
    return this.news.until(() => (this.membership.sequence >= sequence ? this.members() : undefined), timeoutMs);
  }

  /** Whether the ring gives a copy of this path to this worker. */
  owns(path: string, replicas: number): boolean {
    return this.members().ring.owners(path, replicas).includes(this.workerId);
  }

  /** Whether an operator has taken this process of the worker out of the cluster. */
  isDecommissioned(bootId: string): boolean {
    const { workers } = this.members();
    const worker = Object.hasOwn(workers, this.workerId) ? workers[this.workerId] : undefined;
    return worker?.status === 'decommissioned' && worker.bootId === bootId;
  }
}
