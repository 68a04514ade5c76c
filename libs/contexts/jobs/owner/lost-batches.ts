import { type Deliveries } from '#jetstream';
import { isListOf, type BatchInFlight, type JobRecord } from '../index.js';

export interface LostBatchesPorts {
  /** The message at a place of the work stream; undefined where there is none. */
  read(workSequence: number): Promise<Uint8Array | undefined>;
  /** How far a worker's queue has come; undefined where it has none yet. */
  deliveries(workerId: string): Promise<Deliveries | undefined>;
  /** Resolves when the views include everything that is in the log now. */
  caughtUp(): Promise<void>;
  /** The job as the views show it, while it is still ours. */
  record(): JobRecord | undefined;
  /** Whether a worker says that it has the batch in hand. It then reports the batch even when the list is gone. */
  isRunning(batchId: string): boolean;
  /** The places in the work stream of the messages that a worker says it holds; undefined while it is not heard. */
  heldBy(workerId: string): readonly number[] | undefined;
}

/** Batches that are in flight by the log, and that no worker will ever report. */
export interface LostBatches {
  /** The work stream has lost their lists, or never had them: they can only be given up. */
  listless: BatchInFlight[];
  /** Their worker has acknowledged them and does not have them in hand: they can be sent again. */
  forgotten: BatchInFlight[];
}

/** After so long without progress, lost batches are looked for again. */
const stallMs = 20_000;
/**
 * A batch is lost when it is missed twice, so far apart. In between every worker has sent a heartbeat with its batches
 * in hand.
 */
const confirmMs = 3000;
const readsAtOnce = 32;

const keyOf = ({ id, workSequence }: BatchInFlight): string => `${id} ${workSequence}`;

/**
 * Looks for batches that are in flight by the log and are with no worker. A batch whose list is in the work stream is
 * queued, or delivered and not acknowledged, or in hand at a worker that is heard, or its report is in the log. Else it
 * was forgotten by a bug. A batch without a list can only be in hand. Lists are lost with the end of the work stream,
 * and a restore from a backup of the log has none.
 *
 * A wrong result costs work only: a batch that is sent again counts once, however often it is reported.
 */
export class LostBatchSearch {
  private nextLookMs = 0;
  private progress = '';
  private suspects = new Set<string>();

  constructor(
    private readonly jobId: string,
    private readonly ports: LostBatchesPorts,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Looks when a job is new to its owner, and after a while without progress. */
  async find(record: JobRecord): Promise<LostBatches> {
    if (!this.isDue(record)) return { listless: [], forgotten: [] };
    const missed = await this.missed(Object.values(record.inFlight).filter(({ withdrawn }) => !withdrawn));
    const all = [...missed.listless, ...missed.forgotten];
    const known = this.suspects;
    this.suspects = new Set(all.map(keyOf));
    this.nextLookMs = this.now() + (all.length > 0 ? confirmMs : stallMs);
    const confirmed = (batch: BatchInFlight) => known.has(keyOf(batch));
    return { listless: missed.listless.filter(confirmed), forgotten: missed.forgotten.filter(confirmed) };
  }

  isDue(record: JobRecord): boolean {
    const { steps, pass } = record.state;
    const progress = `${pass} ${steps} ${record.sequence} ${Object.keys(record.inFlight).length}`;
    const moved = this.progress !== '' && progress !== this.progress;
    this.progress = progress;
    // Suspects are checked again even when the rest of the job makes progress.
    if (moved && this.suspects.size === 0) this.nextLookMs = this.now() + stallMs;
    return this.now() >= this.nextLookMs;
  }

  private async missed(batches: readonly BatchInFlight[]): Promise<LostBatches> {
    const listless = new Set(await this.withoutList(batches));
    const acknowledged = await this.acknowledged(batches.filter((batch) => !listless.has(batch)));
    if (listless.size + acknowledged.length === 0) return { listless: [], forgotten: [] };
    // A worker reports before it acknowledges. An owner, which may just have changed, removes a list only when the
    // batch has settled. So if there is a report, it is in the log by now.
    await this.ports.caughtUp();
    const inFlight = this.ports.record()?.inFlight ?? {};
    const isMissed = ({ id, workSequence }: BatchInFlight) =>
      inFlight[id]?.workSequence === workSequence && !this.ports.isRunning(id);
    return { listless: [...listless].filter(isMissed), forgotten: acknowledged.filter(isMissed) };
  }

  private async withoutList(batches: readonly BatchInFlight[]): Promise<BatchInFlight[]> {
    const gone: BatchInFlight[] = [];
    for (let i = 0; i < batches.length; i += readsAtOnce) {
      const some = batches.slice(i, i + readsAtOnce);
      const lists = await Promise.all(some.map((batch) => this.ports.read(batch.workSequence)));
      gone.push(...some.filter(({ id }, n) => !isListOf(this.jobId, id, lists[n])));
    }
    return gone;
  }

  /** Only for workers that are heard. A silent worker comes back, or it is lost and all of its batches are moved. */
  private async acknowledged(batches: readonly BatchInFlight[]): Promise<BatchInFlight[]> {
    const found: BatchInFlight[] = [];
    for (const workerId of new Set(batches.map((batch) => batch.workerId))) {
      const held = this.ports.heldBy(workerId);
      const deliveries = held && (await this.ports.deliveries(workerId));
      if (!held || !deliveries) continue;
      const isOut = ({ workSequence }: BatchInFlight) => isAcknowledged(workSequence, deliveries, held);
      found.push(...batches.filter((batch) => batch.workerId === workerId && isOut(batch)));
    }
    return found;
  }
}

/**
 * The queue tells the first unacknowledged message and the number of unacknowledged ones. Take a place behind that
 * first one, delivered, and not held by the worker. It is acknowledged if the messages that the worker holds account
 * for all unacknowledged ones.
 */
function isAcknowledged(place: number, deliveries: Deliveries, held: readonly number[]): boolean {
  const { acknowledgedUpTo, deliveredUpTo, unacknowledged } = deliveries;
  if (held.includes(place) || place > deliveredUpTo) return false;
  const heldHere = held.filter((one) => one > acknowledgedUpTo && one <= deliveredUpTo).length;
  return place <= acknowledgedUpTo || heldHere >= unacknowledged;
}
