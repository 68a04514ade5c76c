import { type View } from '#kernel';
import { membership, membershipBoundary, type MembershipState, type Worker } from './membership.js';

export interface MembershipViewState {
  sequence: number;
  state: MembershipState;
  /** Since when no worker is online, ISO 8601; absent while a worker is online, and before the first one joined. */
  noneOnlineSince?: string;
}

export const membershipView: View<MembershipViewState> = {
  name: 'membership',
  version: 2,
  initial: () => ({ sequence: 0, state: membership.initial }),
  evolve(view, commit) {
    if (commit.boundary !== membershipBoundary.name) return;
    view.sequence = commit.sequence;
    for (const event of membershipBoundary.eventsIn(commit)) {
      view.state = membership.evolve(view.state, event);
      view.noneOnlineSince = isAnyOnline(view.state) ? undefined : (view.noneOnlineSince ?? event.at);
    }
  },
  toSnapshot: (view) => view,
  fromSnapshot: (snapshot) => snapshot as MembershipViewState,
};

export function isAnyOnline({ workers }: MembershipState): boolean {
  return Object.values(workers).some(({ status }) => status === 'online');
}

/** The workers that an operator should see: all except decommissioned ones, by id. */
export function listWorkers(state: MembershipState): Worker[] {
  return Object.values(state.workers)
    .filter((worker) => worker.status !== 'decommissioned')
    .sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
}

/** Ids of the workers that own keys: online, or offline within the grace period. */
export function ringMembers(state: MembershipState): string[] {
  return listWorkers(state)
    .filter((worker) => worker.status !== 'lost')
    .map((worker) => worker.workerId);
}
