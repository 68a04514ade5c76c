import { type Deliveries } from '#jetstream';
import { decodeWorkBatch, type BatchInFlight, type JobRecord, type WorkBatch } from '../index.js';

export interface LostBatchesPorts {
  /** The message at a place of the work stream; undefined where there is none. */
  read(workSequence: number): Promise<Uint8Array | undefined>;
  /** How far a worker's queue has come; undefined where it has none yet. */
  deliveries(workerId: string): Promise<Deliveries | undefined>;
  /** Resolves when the views include everything that is in the log now. */
  caughtUp(): Promise<void>;
  /** The job as the views show it, while it is still ours. */
  record(): JobRecord | undefined;
  /** Whether a worker says that it has the batch in hand: it will report without its list. */
  isRunning(batchId: string): boolean;
  /** The places in the work stream of what a worker says that it holds; undefined while it is not heard. */
  heldBy(workerId: string): readonly number[] | undefined;
}

/** Batches that the log calls in flight, and that nobody will ever report of. */
export interface LostBatches {
  /** The work stream has lost their lists, or never had them: they can only be given up. */
  listless: BatchInFlight[];
  /** Their worker has acknowledged them and does not have them in hand: they can be sent again. */
  forgotten: BatchInFlight[];
}

/** Without progress for so long, batches are looked for again. */
const stallMs = 20_000;
/** A batch must be missed twice, so far apart: by then every worker has said what it has in hand. */
const confirmMs = 3000;
const readsAtOnce = 32;

const keyOf = ({ id, workSequence }: BatchInFlight): string => `${id} ${workSequence}`;

/**
 * Checks what the log calls in flight against what there is of it. A batch whose list is in the work stream is either
 * queued, or delivered and not acknowledged, or in hand at a worker that is heard, or its report is in the log; else it
 * was forgotten, by whatever mistake. A batch without a list can be in hand at most: lists are lost with the end of the
 * work stream, and after a restore from a backup of the log there are none.
 *
 * To be wrong costs work only: a batch that is sent again counts once, however many report of it.
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

  /** Looks when a job is new to its owner, and when it makes no progress for a while. */
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

  private isDue(record: JobRecord): boolean {
    const { steps, pass } = record.state;
    const progress = `${pass} ${steps} ${record.sequence} ${Object.keys(record.inFlight).length}`;
    const moved = this.progress !== '' && progress !== this.progress;
    this.progress = progress;
    // What is suspected is looked at again whatever the rest of the job does.
    if (moved && this.suspects.size === 0) this.nextLookMs = this.now() + stallMs;
    return this.now() >= this.nextLookMs;
  }

  private async missed(batches: readonly BatchInFlight[]): Promise<LostBatches> {
    const listless = new Set(await this.withoutList(batches));
    const acknowledged = await this.acknowledged(batches.filter((batch) => !listless.has(batch)));
    if (listless.size + acknowledged.length === 0) return { listless: [], forgotten: [] };
    // A worker reports before it acknowledges; and the list of a settled batch is removed by its owner, which may have
    // been another one just now. So the report is in the log by now, if there is one.
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
      gone.push(...some.filter((batch, n) => listOf(this.jobId, batch, lists[n]) === undefined));
    }
    return gone;
  }

  /** Of workers that are heard: whoever is silent comes back, or is lost, and then all of its batches are moved. */
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
 * The queue names the first that is not acknowledged, and how many are not. Of what was delivered behind that one, a
 * place that the worker does not hold is acknowledged if all that are not are among those that it does hold.
 */
function isAcknowledged(place: number, deliveries: Deliveries, held: readonly number[]): boolean {
  const { acknowledgedUpTo, deliveredUpTo, unacknowledged } = deliveries;
  if (held.includes(place) || place > deliveredUpTo) return false;
  const heldHere = held.filter((one) => one > acknowledgedUpTo && one <= deliveredUpTo).length;
  return place <= acknowledgedUpTo || heldHere >= unacknowledged;
}

/** The list of this batch, if that is what these bytes are; a stream that lost its end gives places away anew. */
export function listOf(jobId: string, batch: { id: string }, bytes: Uint8Array | undefined): WorkBatch | undefined {
  if (bytes === undefined) return undefined;
  try {
    const list = decodeWorkBatch(bytes);
    return list.jobId === jobId && list.batchId === batch.id ? list : undefined;
  } catch {
    return undefined; // not a list at all
  }
}
