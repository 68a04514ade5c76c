import { decodeWorkBatch, type BatchInFlight, type JobRecord, type WorkBatch } from '../index.js';

export interface LostListsPorts {
  /** The message at a place of the work stream; undefined where there is none. */
  read(workSequence: number): Promise<Uint8Array | undefined>;
  /** Resolves when the views include everything that is in the log now. */
  caughtUp(): Promise<void>;
  /** The job as the views show it, while it is still ours. */
  record(): JobRecord | undefined;
  /** Whether a worker says that it has the batch in hand: it will report without its list. */
  isRunning(batchId: string): boolean;
}

/** Without progress for so long, lists are looked for again. */
const stallMs = 20_000;
/** A list must be missing twice, so far apart: by then every worker has said what it has in hand. */
const confirmMs = 3000;
const readsAtOnce = 32;

/**
 * Finds batches that no worker can ever get: the log says that they are in flight, and the work stream has lost their
 * lists, or never had them (after a restore from a backup of the log, or when NATS lost the end of that stream).
 */
export class LostLists {
  private nextLookMs = 0;
  private progress = '';
  private suspects = new Set<string>();

  constructor(
    private readonly jobId: string,
    private readonly ports: LostListsPorts,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Looks when a job is new to its owner, and when it makes no progress for a while. */
  async find(record: JobRecord): Promise<BatchInFlight[]> {
    if (!this.isDue(record)) return [];
    const missing = await this.missing(Object.values(record.inFlight).filter(({ withdrawn }) => !withdrawn));
    const lost = missing.filter(({ id }) => this.suspects.has(id));
    this.suspects = new Set(missing.map(({ id }) => id));
    this.nextLookMs = this.now() + (missing.length > 0 ? confirmMs : stallMs);
    return lost;
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

  private async missing(batches: readonly BatchInFlight[]): Promise<BatchInFlight[]> {
    const gone: BatchInFlight[] = [];
    for (let i = 0; i < batches.length; i += readsAtOnce) {
      const some = batches.slice(i, i + readsAtOnce);
      const there = await Promise.all(some.map(async (batch) => isListOf(this.jobId, batch, await this.read(batch))));
      gone.push(...some.filter((_, n) => !there[n]));
    }
    if (gone.length === 0) return [];
    // The list of a settled batch is removed by its owner, which may have been another one just now; its settlement
    // came into the log before that.
    await this.ports.caughtUp();
    const inFlight = this.ports.record()?.inFlight ?? {};
    return gone.filter(
      ({ id, workSequence }) => inFlight[id]?.workSequence === workSequence && !this.ports.isRunning(id),
    );
  }

  private read(batch: BatchInFlight): Promise<Uint8Array | undefined> {
    return this.ports.read(batch.workSequence);
  }
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

function isListOf(jobId: string, batch: { id: string }, bytes: Uint8Array | undefined): boolean {
  return listOf(jobId, batch, bytes) !== undefined;
}
