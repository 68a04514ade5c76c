import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, type Commit, type View, type ViewKey } from '#kernel';
import { LogReader, type EventCodec, type EventStore, type Names, type NatsLink, type SnapshotStore } from '#jetstream';
import { Freshness } from './freshness.js';
import { currentPast } from './past.js';

export interface ViewsOptions {
  link: NatsLink;
  names: Names;
  codec: EventCodec;
  store: EventStore;
  snapshots: SnapshotStore;
  views: readonly View<never>[];
  /** A snapshot is due after so many messages since the last one. */
  snapshotEvery: number;
  /** How long a log that ends before what has been read is taken for one whose server is still recovering. */
  lostTailGraceMs?: number;
  /** Whether it is this replica that writes snapshots: one of them is enough. */
  mayWriteSnapshot: () => boolean;
  log: (line: string) => void;
  /** The log cannot be read on; this replica must stop rather than answer from half of it. */
  onFatal: (error: unknown) => void;
}

/** A wait for the log longer than this becomes a 503. */
const waitTimeoutMs = 10_000;
const retryMs = 250;
/** What a query that has found nothing waits for the rest of the log: whoever asks has waited before, and wants an answer. */
const lookAgainMs = 2_000;
export const snapshotName = 'views';

/** The shape of everything in a snapshot: another version of any view makes another snapshot. */
export function snapshotVersion(views: readonly View<never>[]): string {
  return views.map(({ name, version }) => `${name}${version}`).join('-');
}

/**
 * All views of a replica, folded from one reader of the whole log, so that they always stand at the same sequence.
 * Controllers read here and nowhere else. Within a request that travels in time (`past.ts`) it answers from then.
 */
export class Views {
  private readonly states: Map<string, unknown>;
  private readonly listeners = new Set<(commit: Commit) => void>();
  private reader!: LogReader;
  private readonly freshness: Freshness;
  private caughtUpOnce = false;
  private lastSnapshot = 0;
  private savingSnapshot = false;

  private constructor(private readonly options: ViewsOptions) {
    this.states = new Map(options.views.map((view) => [view.name, view.initial()]));
    this.freshness = new Freshness({ ask: () => this.caughtUp() });
  }

  /** Restores the newest usable snapshot, replays what follows, and goes on following the log. */
  static async open(options: ViewsOptions): Promise<Views> {
    const views = new Views(options);
    const { link, names, codec, store, onFatal } = options;
    const restored = await views.restore();
    views.lastSnapshot = restored;
    views.reader = new LogReader(link, names, codec, store, {
      startSequence: restored + 1,
      lostTailGraceMs: options.lostTailGraceMs,
      onCommit: (commit) => views.apply(commit),
      onFatal,
    });
    views.reader.start();
    link.onStatus((status) => {
      if (status !== 'connected') views.freshness.fail();
    });
    return views;
  }

  /** The view's state: now, or at the moment that the current request is about. */
  get<State>(view: ViewKey<State>): State {
    const state = (currentPast()?.states ?? this.states).get(view.name);
    if (state === undefined) throw new DomainError('Bug', 'unknown-view', `there is no view '${view.name}'`);
    return state as State;
  }

  /**
   * What the query finds, now or after this replica has caught up with the log: "not found" is never an old view's.
   * @throws DomainError Unavailable when the log cannot be asked
   */
  async find<T>(query: () => T | undefined): Promise<T | undefined> {
    const found = query();
    if (found !== undefined || currentPast()) return found;
    await this.caughtUp(lookAgainMs);
    return query();
  }

  /** Resolves when `condition` holds, looked at after every commit. @throws the signal's reason when aborted */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        unsubscribe();
        signal.removeEventListener('abort', aborted);
      };
      const aborted = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const unsubscribe = this.onCommit(() => {
        if (!condition()) return;
        end();
        resolve();
      });
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
    });
  }

  /** Called after every commit has been applied to all views. @returns how to end that */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get appliedSequence(): number {
    return currentPast()?.sequence ?? this.reader.appliedSequence;
  }

  /** Whether these views have caught up with the log once since the start. */
  get ready(): boolean {
    return this.caughtUpOnce;
  }

  waitFor(sequence: number, timeoutMs = waitTimeoutMs): Promise<void> {
    return this.reader.waitFor(sequence, Math.min(timeoutMs, waitTimeoutMs));
  }

  async caughtUp(timeoutMs = waitTimeoutMs): Promise<void> {
    if (currentPast()) return;
    await this.reader.caughtUp(Math.min(timeoutMs, waitTimeoutMs));
    this.caughtUpOnce = true;
  }

  /** Replays to the end of the log, however long that takes. */
  async becomeReady(): Promise<void> {
    let told = '';
    while (!this.caughtUpOnce) {
      try {
        await this.caughtUp();
      } catch (error) {
        if (!(error instanceof DomainError) || error.code === 'reader-stopped') throw error;
        const line = `still replaying the log: at sequence ${this.appliedSequence}`;
        if (line !== told) this.options.log((told = line));
        // Without a connection the refusal comes at once: asked again without a pause, there would never be time for one.
        await delay(retryMs);
      }
    }
  }

  /**
   * For readers: waits until the views hold everything that is in the log, so that nobody misses what was written
   * through another replica. @returns undefined then; while the log does not answer, how old the views may be, in
   * milliseconds, at once
   */
  freshen(): Promise<number | undefined> {
    return this.freshness.ensure();
  }

  /** Milliseconds since the views were last known to be complete; undefined while the log answers. */
  staleMs(): number | undefined {
    return this.freshness.staleMs();
  }

  close(): void {
    this.freshness.stop();
    this.reader.stop();
  }

  private apply(commit: Commit): void {
    for (const view of this.options.views) view.evolve(this.states.get(view.name) as never, commit);
    for (const listener of this.listeners) listener(commit);
    if (commit.sequence - this.lastSnapshot >= this.options.snapshotEvery) void this.saveSnapshot(commit.sequence);
  }

  private async restore(): Promise<number> {
    const { store, snapshots, views, log } = this.options;
    const info = await store.unconfirmedInfo();
    const snapshot = await snapshots.load(snapshotName, snapshotVersion(this.options.views), info);
    if (!snapshot) {
      if (info.firstSequence <= 1) return 0;
      const text = `the log begins at sequence ${info.firstSequence} and no snapshot covers what came before`;
      throw new DomainError('Refused', 'snapshot-missing', text);
    }
    const states = snapshot.state as Record<string, unknown>;
    for (const view of views) this.states.set(view.name, view.fromSnapshot(states[view.name]));
    log(`views restored from the snapshot at sequence ${snapshot.sequence} of ${info.lastSequence}`);
    return snapshot.sequence;
  }

  private async saveSnapshot(sequence: number): Promise<void> {
    if (this.savingSnapshot || !this.options.mayWriteSnapshot()) return;
    this.savingSnapshot = true;
    this.lastSnapshot = sequence;
    // Taken in the same turn as the commit: all views stand at `sequence`.
    const entries = this.options.views.map((view) => [view.name, view.toSnapshot(this.states.get(view.name) as never)]);
    const state = JSON.parse(JSON.stringify(Object.fromEntries(entries))) as unknown;
    try {
      const { streamId } = await this.options.store.unconfirmedInfo();
      await this.options.snapshots.save(snapshotName, snapshotVersion(this.options.views), {
        streamId,
        sequence,
        state,
      });
    } catch (error) {
      // Snapshots only save time: the next one is due soon.
      this.options.log(`the snapshot at sequence ${sequence} was not saved: ${String(error)}`);
    } finally {
      this.savingSnapshot = false;
    }
  }
}
