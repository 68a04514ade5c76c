import { type FileIndexEvent } from '#contexts/file-index';
import {
  batchBoundary,
  jobBoundary,
  quotaBoundary,
  slotBoundary,
  type BatchEvent,
  type JobEvent,
  type QuotaEvent,
  type SlotEvent,
} from '#contexts/jobs';
import { type CheckpointEvent, type LogEvent } from '#contexts/log';
import { type MembershipEvent } from '#contexts/membership';
import { maskOptions, type NamespaceEvent } from '#contexts/namespace';
import { type Commit, type RecordedEvent, scopeOf } from '#kernel';
import { answerAs } from '#schema';
import { eventAnswer, type AuditEvent } from './event.answers.js';
import { jobPresentations } from './job-presentations.js';
import { policyPresentations } from './policy-presentations.js';
import { type Presentation, present } from './presentation.js';

type Event =
  | NamespaceEvent
  | MembershipEvent
  | SlotEvent
  | JobEvent
  | QuotaEvent
  | BatchEvent
  | FileIndexEvent
  | LogEvent
  | CheckpointEvent;
type Presentations = { readonly [Type in Event['type']]: Presentation<Extract<Event, { type: Type }>['data']> };

/** Every event type. For a new one, decide here which of its data may be shown. */
export const presentations: Presentations = {
  Mounted: {
    scope: 'namespace',
    // Secrets are masked whatever LARDER_REVEAL_SECRETS is, because an audit is passed on to others.
    show: ({ path, ufs, options }) => ({ path, ufs, options: maskOptions(ufs, options) }),
    paths: ({ path, ufs }) => [path, ufs],
  },
  MountOptionsReplaced: {
    scope: 'namespace',
    show: ({ path, ufs, options }) => ({ path, ufs, options: maskOptions(ufs, options) }),
    paths: ({ path, ufs }) => [path, ufs],
  },
  Unmounted: { scope: 'namespace', show: ({ path, ufs }) => ({ path, ufs }), paths: ({ path, ufs }) => [path, ufs] },
  ...policyPresentations,
  WorkerJoined: announced(),
  WorkerReturned: announced(),
  WorkerWentOffline: departed(),
  WorkerLost: departed(),
  WorkerDecommissioned: departed(),
  ...jobPresentations,
  FilesAddedToIndex: filesChanged(),
  FilesRemovedFromIndex: filesChanged(),
  LogStarted: { scope: 'log', show: ({ logId }) => ({ logId }) },
  LogRestored: {
    scope: 'log',
    show: ({ logId, parentId, throughSequence, root }) => ({ logId, parentId, throughSequence, root }),
  },
  LogLossAccepted: {
    scope: 'log',
    show: ({ logId, parentId, seenSequence, throughSequence, root }) => {
      return { logId, parentId, seenSequence, throughSequence, root };
    },
  },
  SigningBegan: { scope: 'log', show: ({ keyId, publicKey }) => ({ keyId, publicKey }) },
  MessagesVoided: { scope: 'log', show: ({ ranges, reason }) => ({ ranges, reason }) },
  LogCheckpointed: {
    scope: 'checkpoint',
    // The digests are long, and only of use for verifying the log itself.
    show: ({ fromSequence, throughSequence, root, keyId }) => ({ fromSequence, throughSequence, root, keyId }),
  },
};

/** For an event type that is not listed above: none of its data is shown. */
const withheld: Presentation<unknown> = { scope: 'log', show: () => ({}) };

export function presentationOf(type: string): Presentation<unknown> {
  return Object.hasOwn(presentations, type) ? presentations[type as keyof Presentations] : withheld;
}

/** @param recordedAtMs of the commit, milliseconds since the epoch */
export function presentEvent(commit: Commit, index: number, recordedAtMs: number): AuditEvent {
  const { sequence, boundary } = commit;
  const { id, type, v, at, actor, source, requestId, data } = commit.events[index];
  return answerAs(eventAnswer, {
    ...{ sequence, index, id, type, v, kind: scopeOf(boundary), at },
    recordedAt: new Date(recordedAtMs).toISOString(),
    actor,
    ...(source === undefined ? {} : { source }),
    ...{ requestId, boundary, data: presentationOf(type).show(data, jobIdOf(commit, commit.events[index]) ?? '') },
  });
}

/** The job that an event is about; undefined when it is not about a job. */
export function jobIdOf({ boundary }: Pick<Commit, 'boundary'>, { data }: RecordedEvent): string | undefined {
  const named = jobBoundary.idsIn(boundary) ?? batchBoundary.idsIn(boundary);
  if (named) return named.jobId;
  const tells = boundary === quotaBoundary.name || slotBoundary.idsIn(boundary) !== undefined;
  return tells ? (data as { jobId: string }).jobId : undefined;
}

function announced(): Presentation<Extract<MembershipEvent, { type: 'WorkerJoined' }>['data']> {
  return {
    scope: 'membership',
    show: ({ workerId, address, bootId, capacityBytes, version, publicKey }) =>
      present({ workerId, address, bootId, capacityBytes, version, publicKey }),
    ids: ({ workerId }) => [workerId],
  };
}

function departed(): Presentation<Extract<MembershipEvent, { type: 'WorkerLost' }>['data']> {
  return {
    scope: 'membership',
    show: ({ workerId, bootId }) => ({ workerId, bootId }),
    ids: ({ workerId }) => [workerId],
  };
}

function filesChanged(): Presentation<FileIndexEvent['data']> {
  return { scope: 'file-index', show: ({ files, entries }) => ({ files, entries }), paths: ({ files }) => files };
}
