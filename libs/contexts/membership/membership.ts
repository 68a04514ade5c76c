import { z } from 'zod';
import {
  defineBoundary,
  DomainError,
  exhausted,
  unreachable,
  type Decider,
  type EventCatalogue,
  type EventOf,
} from '#kernel';

// ---- events ----

const announcementFields = {
  workerId: z.string(),
  /** `host:port` of the worker's read path. */
  address: z.string(),
  /** A new one for each start of the worker process. */
  bootId: z.string(),
  capacityBytes: z.number(),
  version: z.string(),
  /** The public key for its signed reports: Ed25519, 32 bytes in base64. Versions without signatures have none. */
  publicKey: z.string().optional(),
};
const announcedSchema = z.object(announcementFields);
const departedSchema = z.object({ workerId: z.string(), bootId: z.string() });

/** Version 2 added the public key. */
const withoutKey = { 1: (data: object) => data };

export const membershipEvents = {
  WorkerJoined: {
    v: 2,
    description: 'A worker announced itself for the first time, with the key that its reports are signed with.',
    schema: announcedSchema,
    upcast: withoutKey,
  },
  WorkerReturned: {
    v: 2,
    description: 'A known worker sent heartbeats again, or returned with another address or a new process.',
    schema: announcedSchema,
    upcast: withoutKey,
  },
  WorkerWentOffline: { v: 1, description: 'A worker fell silent. It stays on the ring.', schema: departedSchema },
  WorkerLost: {
    v: 1,
    description: 'A worker sent no heartbeats for the grace period. It left the ring.',
    schema: departedSchema,
  },
  WorkerDecommissioned: {
    v: 1,
    description: 'An operator removed a worker. The process named by `bootId` cannot join again; a restarted one can.',
    schema: departedSchema,
  },
} as const satisfies EventCatalogue;

/**
 * Which workers belong to the cluster. Heartbeats are not stored, but their consequences (joined, offline, lost,
 * returned) are: once each, written by the coordinator that decides first.
 */
export const membershipBoundary = defineBoundary('membership', membershipEvents);
export type MembershipEvent = EventOf<typeof membershipEvents>;

// ---- state ----

export interface Worker {
  readonly workerId: string;
  readonly address: string;
  readonly bootId: string;
  readonly capacityBytes: number;
  readonly version: string;
  readonly publicKey?: string;
  /** `lost` and `decommissioned` workers are not on the ring. Users see both `offline` and `lost` as OFFLINE. */
  readonly status: 'online' | 'offline' | 'lost' | 'decommissioned';
}

export interface MembershipState {
  readonly workers: Readonly<Record<string, Worker>>;
}

const initial: MembershipState = { workers: {} };

function evolve(state: MembershipState, event: MembershipEvent): MembershipState {
  switch (event.type) {
    case 'WorkerJoined':
    case 'WorkerReturned':
      return set(state, { ...event.data, status: 'online' });
    case 'WorkerWentOffline':
      return change(state, event.data.workerId, 'offline');
    case 'WorkerLost':
      return change(state, event.data.workerId, 'lost');
    case 'WorkerDecommissioned':
      return change(state, event.data.workerId, 'decommissioned');
    default:
      return exhausted(event, state);
  }
}

function set(state: MembershipState, worker: Worker): MembershipState {
  return { workers: { ...state.workers, [worker.workerId]: worker } };
}

function change(state: MembershipState, workerId: string, status: Worker['status']): MembershipState {
  const worker = workerOf(state, workerId);
  return worker ? set(state, { ...worker, status }) : state;
}

/** Ids also come from requests, so `constructor` must not find a worker. */
function workerOf({ workers }: MembershipState, workerId: string): Worker | undefined {
  return Object.hasOwn(workers, workerId) ? workers[workerId] : undefined;
}

// ---- commands ----

export interface Announcement {
  workerId: string;
  address: string;
  bootId: string;
  capacityBytes: number;
  version: string;
  publicKey?: string;
}

export type MembershipCommand =
  | { type: 'Announce'; announcement: Announcement }
  /** This process of the worker was silent for the timeout, or (`lost`) also for the grace period after it. */
  | { type: 'ReportSilence'; workerId: string; bootId: string; lost: boolean }
  | { type: 'Decommission'; workerId: string };

// ---- decide ----

function decide(state: MembershipState, command: MembershipCommand): MembershipEvent[] {
  switch (command.type) {
    case 'Announce':
      return announce(state, command.announcement);
    case 'ReportSilence': {
      const { workerId, bootId, lost } = command;
      const worker = workerOf(state, workerId);
      // The worker has a new process now. The silence is that of the old one.
      if (!worker || worker.bootId !== bootId) return [];
      if (worker.status === 'online') return [{ type: 'WorkerWentOffline', data: { workerId, bootId } }];
      if (worker.status === 'offline' && lost) return [{ type: 'WorkerLost', data: { workerId, bootId } }];
      return [];
    }
    case 'Decommission': {
      const worker = workerOf(state, command.workerId);
      if (!worker || worker.status === 'decommissioned') {
        // The text of the reference.
        throw new DomainError('NotFound', 'worker-not-found', 'worker not found...');
      }
      return [{ type: 'WorkerDecommissioned', data: { workerId: worker.workerId, bootId: worker.bootId } }];
    }
    default:
      return unreachable(command);
  }
}

/** Whether another process uses the id of a known worker. A worker id keeps its key for ever. */
export function isImpostor(state: MembershipState, { workerId, publicKey }: Announcement): boolean {
  const known = workerOf(state, workerId);
  return known?.publicKey !== undefined && known.publicKey !== publicKey;
}

function announce(state: MembershipState, announcement: Announcement): MembershipEvent[] {
  const { workerId, address, bootId, capacityBytes, version, publicKey } = announcement;
  const data = { workerId, address, bootId, capacityBytes, version, ...(publicKey !== undefined && { publicKey }) };
  const known = workerOf(state, workerId);
  if (!known) return [{ type: 'WorkerJoined', data }];
  if (isImpostor(state, announcement)) return [];
  if (known.status === 'decommissioned') {
    return known.bootId === bootId ? [] : [{ type: 'WorkerReturned', data }];
  }
  const same =
    known.status === 'online' &&
    known.bootId === bootId &&
    known.address === address &&
    known.capacityBytes === capacityBytes &&
    known.publicKey === publicKey;
  return same ? [] : [{ type: 'WorkerReturned', data }];
}

export const membership: Decider<MembershipState, MembershipCommand, MembershipEvent> = { initial, evolve, decide };
