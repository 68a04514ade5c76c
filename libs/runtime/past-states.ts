import { abortable, Semaphore } from '#async';
import { type EventStore, type SnapshotStore } from '#jetstream';
import { DomainError, type View } from '#kernel';
import { type PastCache } from './past-cache.js';
import { snapshotName, snapshotVersion } from './views.js';

export interface PastStatesOptions {
  readonly store: EventStore;
  readonly snapshots: SnapshotStore;
  readonly views: readonly View<never>[];
  readonly cache: PastCache;
}

type States = Map<string, unknown>;

interface Building {
  readonly states: Promise<States>;
  readonly controller: AbortController;
  waiting: number;
}

/** How many different sequences may be under way or waiting; a request for one more is refused for now. */
const maxWaiting = 16;
/** Short, because a client is waiting: it does not outlast a NATS that falls silent. */
const stallTimeoutMs = 2_500;

/**
 * All views as they were at a sequence of the log. They are built from the nearest state at or before it that is at
 * hand (built before, or a snapshot) and the events since then. One state is built at a time, because each keeps this
 * process as busy as its own start did. Requests for a state that is being built share it. It is given up when no
 * request waits for it any more.
 */
export class PastStates {
  private readonly underWay = new Map<number, Building>();
  private readonly turns = new Semaphore(1);

  constructor(private readonly options: PastStatesOptions) {}

  /**
   * @param sequence must be in the log
   * @throws the signal's reason when it is aborted; DomainError Unavailable; Refused `history-archived`
   */
  async at(sequence: number, signal: AbortSignal): Promise<ReadonlyMap<string, unknown>> {
    const building = this.underWay.get(sequence) ?? this.begin(sequence);
    building.waiting++;
    try {
      return await abortable(building.states, signal);
    } finally {
      if (--building.waiting === 0) {
        building.controller.abort(new DomainError('Unavailable', 'given-up', 'no request waits for this any more'));
        if (this.underWay.get(sequence) === building) this.underWay.delete(sequence);
      }
    }
  }

  private begin(sequence: number): Building {
    if (this.underWay.size >= maxWaiting) {
      throw new DomainError('Unavailable', 'past-busy', 'too many different moments are being looked at already');
    }
    const controller = new AbortController();
    const states = this.turns.run(() => this.build(sequence, controller.signal), controller.signal);
    const building = { states, controller, waiting: 0 };
    this.underWay.set(sequence, building);
    return building;
  }

  private async build(sequence: number, signal: AbortSignal): Promise<States> {
    signal.throwIfAborted();
    const { store, views, cache } = this.options;
    const from = await this.nearest(sequence);
    const states = new Map(
      views.map((view) => [view.name, from ? view.fromSnapshot(from.state[view.name]) : view.initial()] as const),
    );
    if (from?.sequence === sequence) return states;
    let reached = from?.sequence ?? 0;
    for await (const message of store.readMessages('>', {
      from: reached + 1,
      through: sequence,
      signal,
      stallTimeoutMs,
    })) {
      const { sequence: at, boundary } = message;
      const commit = (await store.admitted(message)) ?? { sequence: at, boundary, events: [] };
      for (const view of views) view.evolve(states.get(view.name) as never, commit);
      reached = message.sequence;
    }
    signal.throwIfAborted();
    if (reached !== sequence) throw new DomainError('Unavailable', 'log-cut-short', `the log ends at ${reached}`);
    const entries = views.map((view) => [view.name, view.toSnapshot(states.get(view.name) as never)]);
    cache.put(sequence, JSON.stringify(Object.fromEntries(entries)));
    return states;
  }

  /** The state to start from; undefined for the log's beginning. */
  private async nearest(sequence: number): Promise<{ sequence: number; state: Record<string, unknown> } | undefined> {
    const { store, snapshots, views, cache } = this.options;
    const cached = cache.nearest(sequence);
    if (cached?.sequence === sequence) return { sequence, state: JSON.parse(cached.json) as Record<string, unknown> };
    const info = await store.unconfirmedInfo();
    const stored = await snapshots.load(snapshotName, snapshotVersion(views), { ...info, atMost: sequence });
    if (stored && stored.sequence > (cached?.sequence ?? 0)) {
      return { sequence: stored.sequence, state: stored.state as Record<string, unknown> };
    }
    if (cached) return { sequence: cached.sequence, state: JSON.parse(cached.json) as Record<string, unknown> };
    if (info.firstSequence > 1) {
      const text = `the log begins at sequence ${info.firstSequence}, and no snapshot covers what came before`;
      throw new DomainError('Refused', 'history-archived', `asOf lies too far back: ${text}`, { httpStatus: 400 });
    }
    return undefined;
  }
}
