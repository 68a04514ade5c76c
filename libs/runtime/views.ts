import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, type Commit, type View, type ViewKey } from '#kernel';
import {
  checkpointDiffers,
  LogReader,
  openGate,
  type EventCodec,
  type EventStore,
  type Names,
  type NatsLink,
  type SavedGate,
  type SnapshotStore,
  type VoidMessage,
} from '#jetstream';
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
  /** How long a server may take to recover a log that ends before what has been read. */
  lostTailGraceMs?: number;
  /** Whether this replica writes snapshots: one replica is enough. */
  mayWriteSnapshot: () => boolean;
  log: (line: string) => void;
  /**
   * Judges what is folded. Default: every readable message is folded.
   * @param stored its state in a snapshot. @param strict a checkpoint was not reliable: verify everything
   */
  openGate?: (stored: unknown, strict: boolean) => SavedGate;
  /** Called for each void message. */
  onVoid?: (message: VoidMessage) => void;
  /** The rest of the log cannot be read. This replica must stop, because it would answer from a part of the log. */
  onFatal: (error: unknown) => void;
}

/** A wait for the log longer than this becomes a 503. */
const waitTimeoutMs = 10_000;
const retryMs = 250;
/** How long a query that found nothing waits for the rest of the log. Short, because its client has waited already. */
const lookAgainMs = 2_000;
export const snapshotName = 'views';
/** Key of the gate's state in a snapshot; the other keys are names of views. */
const gateKey = '$gate';
/** Increase it when the form of the gate's state changes. */
const gateVersion = 1;

/** Version of a snapshot: it changes with the version of any view. */
export function snapshotVersion(views: readonly View<never>[]): string {
  return [...views, { name: 'gate', version: gateVersion }].map(({ name, version }) => `${name}${version}`).join('-');
}

/**
 * All views of a replica. One reader of the whole log feeds them, so that they always stand at the same sequence.
 * Controllers read only here. Within a request with `asOf` (`past.ts`) the answers are as of that moment.
 */
export class Views {
  private states: Map<string, unknown>;
  private readonly listeners = new Set<(commit: Commit) => void>();
  private reader!: LogReader;
  private gate!: SavedGate;
  /** Set once the log is being read again, with every message verified. */
  private strict: Promise<void> | undefined;
  private readonly freshness: Freshness;
  private caughtUpOnce = false;
  private lastSnapshot = 0;
  private savingSnapshot = false;

  private constructor(private readonly options: ViewsOptions) {
    this.states = initialStates(options.views);
    this.freshness = new Freshness({ ask: () => this.caughtUp() });
  }

  /** Restores the newest usable snapshot, replays the rest, and follows the log. */
  static async open(options: ViewsOptions): Promise<Views> {
    const views = new Views(options);
    await views.begin();
    const { link } = options;
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
   * What the query finds, now or after this replica has caught up with the log: "not found" never comes from an old
   * view.
   * @throws DomainError Unavailable when the log cannot be asked
   */
  async find<T>(query: () => T | undefined): Promise<T | undefined> {
    const found = query();
    if (found !== undefined || currentPast()) return found;
    await this.caughtUp(lookAgainMs);
    return query();
  }

  /** Resolves when `condition` holds; it is checked after every commit. @throws the signal's reason when aborted */
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

  /** Calls back after every commit has been applied to all views. @returns a function that ends it */
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

  /** Replays to the end of the log, without a time limit. */
  async becomeReady(): Promise<void> {
    let told = '';
    while (!this.caughtUpOnce) {
      try {
        await this.caughtUp();
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        if (error.code === 'reader-stopped') {
          if (!this.strict) throw error;
          await this.strict;
        }
        const line = `still replaying the log: at sequence ${this.appliedSequence}`;
        if (line !== told) this.options.log((told = line));
        // Without a connection `caughtUp` fails at once. Without a pause the process could not connect meanwhile.
        await delay(retryMs);
      }
    }
  }

  /**
   * For readers: waits until the views hold everything that is in the log, including writes through other replicas.
   * @returns undefined then. While the log does not answer, it returns at once how old the views may be, in
   *   milliseconds
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

  private async begin(): Promise<void> {
    const { link, names, codec, store, lostTailGraceMs } = this.options;
    const { sequence, gate } = await this.restore();
    this.lastSnapshot = sequence;
    this.gate = this.options.openGate?.(gate, this.strict !== undefined) ?? openGate(codec);
    this.reader = new LogReader(link, names, codec, store, {
      startSequence: sequence + 1,
      lostTailGraceMs,
      gate: this.gate,
      onCommit: (commit) => this.apply(commit),
      onVoid: (message) => this.applyVoid(message),
      onFatal: (error) => this.broken(error),
    });
    this.reader.start();
  }

  /**
   * Starting again is safe: a checkpoint covers the beginning of the log, and no query was answered before `caughtUp`.
   */
  private broken(error: unknown): void {
    const mayBeginAnew = error instanceof DomainError && error.code === checkpointDiffers && !this.strict;
    if (!mayBeginAnew || this.caughtUpOnce) {
      this.options.onFatal(error);
      return;
    }
    this.options.log(`${error.message}; the log is read again, and every message verified`);
    this.states = initialStates(this.options.views);
    this.strict = this.begin();
    this.strict.catch((reason: unknown) => this.options.onFatal(reason));
  }

  /** A void message has no effect, but the views must know its sequence: the next append to its boundary needs it. */
  private applyVoid(message: VoidMessage): void {
    this.options.onVoid?.(message);
    this.apply({ sequence: message.sequence, boundary: message.boundary, events: [] });
  }

  private apply(commit: Commit): void {
    for (const view of this.options.views) view.evolve(this.states.get(view.name) as never, commit);
    for (const listener of this.listeners) listener(commit);
    if (commit.sequence - this.lastSnapshot >= this.options.snapshotEvery) void this.saveSnapshot(commit.sequence);
  }

  private async restore(): Promise<{ sequence: number; gate: unknown }> {
    const { store, snapshots, views, log } = this.options;
    const info = await store.unconfirmedInfo();
    const snapshot = await snapshots.load(snapshotName, snapshotVersion(this.options.views), info);
    if (!snapshot) {
      if (info.firstSequence <= 1) return { sequence: 0, gate: undefined };
      const text = `the log begins at sequence ${info.firstSequence} and no snapshot covers what came before`;
      throw new DomainError('Refused', 'snapshot-missing', text);
    }
    const states = snapshot.state as Record<string, unknown>;
    for (const view of views) this.states.set(view.name, view.fromSnapshot(states[view.name]));
    log(`views restored from the snapshot at sequence ${snapshot.sequence} of ${info.lastSequence}`);
    return { sequence: snapshot.sequence, gate: states[gateKey] };
  }

  private async saveSnapshot(sequence: number): Promise<void> {
    if (this.savingSnapshot || !this.options.mayWriteSnapshot()) return;
    this.savingSnapshot = true;
    this.lastSnapshot = sequence;
    // In the same turn of the event loop as the commit, so that all views stand at `sequence`.
    const entries = this.options.views.map((view) => [view.name, view.toSnapshot(this.states.get(view.name) as never)]);
    const all = Object.fromEntries([...entries, [gateKey, this.gate.toSnapshot()]]) as Record<string, unknown>;
    const state = JSON.parse(JSON.stringify(all)) as unknown;
    try {
      const { streamId } = await this.options.store.unconfirmedInfo();
      await this.options.snapshots.save(snapshotName, snapshotVersion(this.options.views), {
        streamId,
        sequence,
        state,
      });
    } catch (error) {
      // Ignore it: snapshots only save time, and the next one is due soon.
      this.options.log(`the snapshot at sequence ${sequence} was not saved: ${String(error)}`);
    } finally {
      this.savingSnapshot = false;
    }
  }
}

function initialStates(views: readonly View<never>[]): Map<string, unknown> {
  return new Map(views.map((view) => [view.name, view.initial()]));
}
