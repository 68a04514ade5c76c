import { fileIndexBoundary } from '#contexts/file-index';
import { batchBoundary, slotBoundary, jobBoundary, jobsView, quotaBoundary, slot } from '#contexts/jobs';
import { checkpointBoundary, logBoundary, logView } from '#contexts/log';
import { membershipBoundary, membershipView } from '#contexts/membership';
import { namespaceBoundary, namespaceView } from '#contexts/namespace';
import { type Commit, DomainError, type View } from '#kernel';

/** One aggregate during a replay. */
export interface Replayed {
  /** The boundaries to read, as in `Names.eventFilter`. */
  readonly filter: string;
  /** Whether messages on this boundary can concern the aggregate. */
  mayConcern(boundary: string): boolean;
  /** Whether a commit on such a boundary concerns the aggregate. */
  concerns(commit: Commit): boolean;
  apply(commit: Commit): void;
  /** JSON-able; still contains secrets. */
  state(): unknown;
}

export const aggregateNames =
  'namespace, membership, log, quota, file-index, job.<id>, slot.<kind>.<hash>, or all for the last state of everything';

/** @throws DomainError Malformed for a name that is not one of `aggregateNames` */
export function replayed(name: string): Replayed {
  switch (name) {
    case 'namespace':
      return ofView(namespaceView, [namespaceBoundary.name], ({ state }) => state);
    case 'membership':
      return ofView(membershipView, [membershipBoundary.name], ({ state }) => state);
    case 'log':
      return ofView(logView, [logBoundary.name, checkpointBoundary.name], (view) => view);
    case 'quota':
      return reservations();
    case 'file-index':
      return fileIndex();
    case 'all':
      return everything();
  }
  const job = jobBoundary.idsIn(name);
  if (job) return oneJob(job.jobId);
  if (slotBoundary.idsIn(name)) return oneSlot(name);
  throw new DomainError('Malformed', 'unknown-aggregate', `--of: "${name}" is none of ${aggregateNames}`);
}

function ofView<State>(view: View<State>, boundaries: readonly string[], show: (state: State) => unknown): Replayed {
  const state = view.initial();
  return {
    filter: boundaries.length === 1 ? boundaries[0] : '>',
    mayConcern: (boundary) => boundaries.includes(boundary),
    concerns: () => true,
    apply: (commit) => view.evolve(state, commit),
    state: () => show(state),
  };
}

/** A job has events on its slot, on its own boundary, and on the boundaries of its batches. */
function oneJob(jobId: string): Replayed {
  const view = jobsView(Infinity);
  const state = view.initial();
  return {
    filter: '>',
    mayConcern: (boundary) =>
      boundary === jobBoundary.of(jobId) ||
      boundary === quotaBoundary.name ||
      slotBoundary.idsIn(boundary) !== undefined ||
      batchBoundary.idsIn(boundary)?.jobId === jobId,
    concerns: ({ boundary, events }) =>
      boundary === jobBoundary.of(jobId) || events.some(({ data }) => jobIdOf(data as object) === jobId),
    apply: (commit) => view.evolve(state, commit),
    state: () => state.jobs.get(jobId) ?? null,
  };
}

const jobIdOf = (data: object): unknown => ('jobId' in data ? data.jobId : undefined);

function oneSlot(boundary: string): Replayed {
  let state = slot.initial;
  return {
    filter: boundary,
    mayConcern: (other) => other === boundary,
    concerns: () => true,
    apply: (commit) => {
      for (const event of slotBoundary.eventsIn(commit)) state = slot.evolve(state, event);
    },
    state: () => state,
  };
}

/** What is reserved below quotas for stretches that are not planned yet, by job. */
function reservations(): Replayed {
  const view = jobsView(Infinity);
  const state = view.initial();
  return {
    filter: '>',
    mayConcern: (boundary) => /^(quota$|slot\.|job\.)/.test(boundary),
    // An event that plans the stretch or ends the job releases the reservation.
    concerns: ({ events }) => events.some(({ type }) => concernQuota.includes(type)),
    apply: (commit) => view.evolve(state, commit),
    state: () => {
      const reserved = [...state.jobs.values()].flatMap(({ jobId, reservation }) =>
        reservation ? [[jobId, { step: reservation.step, bytes: reservation.bytes }] as const] : [],
      );
      return { sequence: state.quotaSequence, reserved: Object.fromEntries(reserved) };
    },
  };
}

const concernQuota = ['QuotaReserved', 'JobSubmitted', 'JobAssumed', 'BatchesPlanned', 'JobStopped', 'JobFinished'];

/** What users added to the index and removed from it. The index also has the workers' cached files, without events. */
function fileIndex(): Replayed {
  const files = new Map<string, 'added' | 'removed'>();
  return {
    filter: fileIndexBoundary.name,
    mayConcern: (boundary) => boundary === fileIndexBoundary.name,
    concerns: () => true,
    apply: (commit) => {
      for (const { type, data } of fileIndexBoundary.eventsIn(commit)) {
        for (const file of data.files) files.set(file, type === 'FilesAddedToIndex' ? 'added' : 'removed');
      }
    },
    state: () => Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function everything(): Replayed {
  const jobs = jobsView(Infinity);
  const jobsState = jobs.initial();
  const parts = { namespace: replayed('namespace'), membership: replayed('membership'), log: replayed('log') };
  const index = fileIndex();
  return {
    filter: '>',
    mayConcern: () => true,
    concerns: () => true,
    apply: (commit) => {
      for (const part of Object.values(parts)) part.apply(commit);
      if (index.mayConcern(commit.boundary)) index.apply(commit);
      jobs.evolve(jobsState, commit);
    },
    state: () => ({
      ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.state()])),
      jobs: [...jobsState.jobs.values()],
      'file-index': index.state(),
    }),
  };
}
