import { setMaxListeners } from 'node:events';
import { decodeWorkBatch, type WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerJobKind } from '#contexts/jobs/kinds';
import { StoreWaits, type StoreOutage } from '#ufs';
import type { Logger } from 'pino';
import { ExecutionFailed, type BatchExecutor } from './batch-executor.js';
import type { JobRate, JobStates } from '../log/job-states.js';

/** A batch as it comes from the worker's queue. */
export interface BatchMessage {
  readonly bytes: Uint8Array;
  readonly jobId: string;
  /** Place in the work stream. */
  readonly sequence: number;
  readonly deliveries: number;
  ack(): Promise<void>;
  /** Puts the message back into the queue, to be delivered again after `delayMs`. */
  retryLater(delayMs: number): void;
}

/** Why a batch is broken off. */
export class JobEnded extends Error {
  override readonly name = 'JobEnded';

  constructor(
    jobId: string,
    readonly how: 'stopped' | 'finished',
  ) {
    super(`job ${jobId} is ${how}`);
  }
}
export class WorkerStopping extends Error {
  override readonly name = 'WorkerStopping';
}

export interface RunnerPorts {
  kinds: Readonly<Record<string, WorkerJobKind>>;
  /** Whether a coordinator has queued it, for this worker and this job. */
  isGenuine(message: BatchMessage): boolean;
  jobs: JobStates;
  executor: BatchExecutor;
  /** Resolves when the mount table includes every change up to this log sequence. */
  namespaceAt(sequence: number, signal: AbortSignal): Promise<void>;
  /** Resolves when the outcome is in the log, after any length of time. @throws the signal's reason when aborted */
  settle(batch: WorkBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void>;
  /**
   * The batch's outcome is in the log (`settled`), its job was stopped and may be resumed (`stopped`), or has ended.
   */
  forget(batchId: string, why: 'settled' | 'stopped' | 'finished'): Promise<void>;
  logger: Logger;
}

export interface RunningBatch {
  jobId: string;
  batchId: string;
  files: number;
  bytes: number;
  /** Files of it wait for their store. */
  waiting?: StoreOutage;
}

/** A batch in hand. */
interface Entry extends Omit<RunningBatch, 'waiting'> {
  readonly waits: StoreWaits;
  readonly abort: AbortController;
  /** The entry is as new as this log sequence; undefined while that is not known. */
  asOf: number | undefined;
}

/** A batch this build does not understand waits for a newer one. */
const notUnderstoodDelayMs = 30_000;
/** By then the other delivery of the same batch has made progress. */
const duplicateDelayMs = 1000;
const failedDelayMs = 1000;
/** How many settled batches are remembered: more than can be on their way to one worker at a time. */
const rememberedBatches = 10_000;

/**
 * Takes a batch from delivery to acknowledgement. Handling a batch again changes nothing and reports the same outcome.
 */
export class BatchRunner {
  private readonly batches = new Map<string, Entry>();
  /**
   * Attempts at batches whose outcome this process has put into the log. A new attempt at such a batch has a reason.
   */
  private readonly settled = new Set<string>();
  private readonly handling = new Set<Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(private readonly ports: RunnerPorts) {}

  /** Never throws: after any error the message is acked or is delivered again. */
  handle(message: BatchMessage): Promise<void> {
    const handled = this.handleOne(message).finally(() => this.handling.delete(handled));
    this.handling.add(handled);
    return handled;
  }

  running(): RunningBatch[] {
    return [...this.batches.values()].map(({ jobId, batchId, files, bytes, waits }) => {
      const waiting = waits.first;
      return { jobId, batchId, files, bytes, ...(waiting && { waiting }) };
    });
  }

  /** Breaks off the job's batches that were sent before this log sequence, where the log has the job's stop or end. */
  jobEnded(jobId: string, sequence: number, how: 'stopped' | 'finished'): void {
    for (const batch of this.batches.values()) {
      const isOlder = batch.asOf !== undefined && batch.asOf < sequence;
      if (batch.jobId === jobId && isOlder) batch.abort.abort(new JobEnded(jobId, how));
    }
  }

  /** Breaks off all batches. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.stopping.abort(new WorkerStopping('the worker stops'));
    for (const { abort } of this.batches.values()) abort.abort(this.stopping.signal.reason);
    await Promise.all(this.handling);
  }

  private async handleOne(message: BatchMessage): Promise<void> {
    try {
      if (!this.ports.isGenuine(message)) {
        const { jobId, sequence } = message;
        this.ports.logger.error({ jobId, sequence }, 'a batch that no coordinator has signed was dropped');
        return await message.ack();
      }
      const understood = this.understand(message);
      if (!understood) return message.retryLater(notUnderstoodDelayMs);
      const { batch, kind } = understood;
      // Sent twice: an owner that did not notice the loss of its job sent the same stretch as its successor.
      if (this.settled.has(attemptOf(batch))) return await message.ack();
      if (this.batches.has(batch.batchId)) return message.retryLater(duplicateDelayMs);
      await this.take(batch, kind, message);
    } catch (error) {
      // Only the acknowledgement itself can fail here. The queue then delivers the batch again.
      this.ports.logger.warn({ err: error }, 'a batch could not be acknowledged');
    }
  }

  private understand(message: BatchMessage): { batch: WorkBatch; kind: WorkerJobKind } | undefined {
    const { logger, kinds } = this.ports;
    try {
      const batch = decodeWorkBatch(message.bytes);
      const kind = Object.hasOwn(kinds, batch.kind) ? kinds[batch.kind] : undefined;
      if (kind) return { batch, kind };
      logger.error({ jobId: batch.jobId, batchId: batch.batchId, kind: batch.kind }, 'unknown kind of job');
    } catch (error) {
      logger.error({ err: error }, 'a batch cannot be read; is this worker older than the coordinator?');
    }
    return undefined;
  }

  private async take(batch: WorkBatch, kind: WorkerJobKind, message: BatchMessage): Promise<void> {
    const { logger } = this.ports;
    const { jobId, batchId } = batch;
    const asOf = batch.jobSequence;
    const waits = new StoreWaits();
    const entry: Entry = { jobId, batchId, files: 0, bytes: 0, waits, abort: new AbortController(), asOf };
    // Every file of the batch listens to it while it waits or transfers.
    setMaxListeners(0, entry.abort.signal);
    this.batches.set(batchId, entry);
    if (this.stopping.signal.aborted) entry.abort.abort(this.stopping.signal.reason);
    try {
      await this.work(batch, kind, entry);
      await this.ports.forget(batchId, 'settled');
      await message.ack();
      logger.debug({ jobId, batchId, deliveries: message.deliveries }, 'batch settled');
    } catch (error) {
      const reason: unknown = entry.abort.signal.reason;
      if (reason instanceof JobEnded) {
        // The list stays in the work stream: when the job is resumed, its owner sends it again.
        await this.ports.forget(batchId, reason.how);
        await message.ack();
      } else if (reason instanceof WorkerStopping) {
        message.retryLater(0);
      } else {
        if (!(error instanceof ExecutionFailed)) logger.warn({ err: error, jobId, batchId }, 'a batch is postponed');
        message.retryLater(failedDelayMs);
      }
    } finally {
      this.batches.delete(batchId);
    }
  }

  /** @throws the abort reason, ExecutionFailed, or the error that prevents reading the log */
  private async work(batch: WorkBatch, kind: WorkerJobKind, entry: Entry): Promise<void> {
    const { jobs, executor } = this.ports;
    const { signal } = entry.abort;
    signal.throwIfAborted();
    const standing = await jobs.standingOf(batch);
    entry.asOf = standing.asOf;
    if (standing.ended) entry.abort.abort(new JobEnded(batch.jobId, standing.ended));
    await this.ports.namespaceAt(batch.namespaceSequence, signal);
    signal.throwIfAborted();
    const outcome = await executor.execute({
      batch,
      kind,
      rate: rateOf(batch, kind, standing.rate),
      signal,
      onStoreWait: (outage) => entry.waits.begin(outage),
      onProgress: (files, bytes) => {
        entry.files += files;
        entry.bytes += bytes;
      },
    });
    // A stop of the job no longer discards the outcome. Only the end of the worker does.
    await this.ports.settle(batch, outcome, this.stopping.signal);
    this.settled.add(attemptOf(batch));
    if (this.settled.size > rememberedBatches) this.settled.delete(this.settled.values().next().value!);
  }
}

const attemptOf = ({ batchId, attempt }: WorkBatch): string => `${batchId}:${attempt}`;

/** The newer of two rates: the batch's own, as of when it was sent, and the one known from the log. */
function rateOf(batch: WorkBatch, kind: WorkerJobKind, known: JobRate | undefined): JobRate {
  const asOf = batch.jobSequence ?? 0;
  if (known && known.asOf > asOf) return known;
  return { bytesPerSecond: kind.bandwidthOf?.(batch) ?? bandwidthOf(batch), asOf };
}

function bandwidthOf(batch: WorkBatch): number {
  const { bandwidth } = batch.options;
  return typeof bandwidth === 'number' && bandwidth > 0 ? bandwidth : 0;
}
