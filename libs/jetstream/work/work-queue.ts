import { randomUUID } from 'node:crypto';
import { Semaphore } from '#async';
import { type StoredMsg } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf, isDefiniteRefusal, messageOf } from '../link/errors.js';
import { RetryBudget, unavailableUnlessRefused } from '../link/retry-budget.js';
import { type Names } from '../names/streams.js';

export interface WorkQueueOptions {
  /** How many publishes may be under way at once; others wait. Default 256: more only adds latency. */
  readonly window?: number;
  /** How long to try one operation. Default 30 s: longer than any election. */
  readonly budgetMs?: number;
  /** Seals batches, and checks seals. Undefined: nothing is sealed, and every batch is accepted. */
  readonly seal?: WorkSeal;
}

/** Shows that a batch was queued by a coordinator. */
export interface WorkSeal {
  /** @param context worker and job, see `workContext`. @param batch bytes of a JSON object */
  sealed(context: string, batch: Uint8Array): Uint8Array;
  holds(context: string, message: Uint8Array, sequence: number): boolean;
}

/** Context of a batch's seal: it keeps the batch from another worker's queue and from another job. */
export const workContext = (workerId: string, jobId: string): string => `work.${workerId}.${jobId}`;

/** The progress of a worker's queue, as sequences of the work stream. */
export interface Deliveries {
  /** Everything of this worker up to here has been acknowledged. */
  readonly acknowledgedUpTo: number;
  /** The last that was delivered; later ones are still queued. */
  readonly deliveredUpTo: number;
  /** How many between the two are not acknowledged. */
  readonly unacknowledged: number;
}

/**
 * The coordinator's side of the work stream. A message stays, delivered or not, until the coordinator removes it: a
 * worker's ack only ends its redelivery.
 */
export class WorkQueue {
  private readonly turns: Semaphore;
  private readonly budgetMs: number;

  constructor(
    private readonly link: NatsLink,
    private readonly names: Names,
    private readonly options: WorkQueueOptions = {},
  ) {
    this.turns = new Semaphore(options.window ?? 256);
    this.budgetMs = options.budgetMs ?? 30_000;
  }

  /**
   * Queues a batch for a worker. Repeating it with the same batch and attempt within two minutes adds nothing and
   * answers with the sequence of the first.
   *
   * @throws DomainError Unavailable `nats-unreachable` or `outcome-unknown`: publish again with the same ids. Refused
   *   `batch-too-large`.
   */
  async publish(
    workerId: string,
    jobId: string,
    batchId: string,
    attempt: number,
    batch: Uint8Array,
  ): Promise<{ sequence: number }> {
    const bytes = this.options.seal?.sealed(workContext(workerId, jobId), batch) ?? batch;
    const subject = this.names.workSubject(workerId, jobId);
    if (bytes.length + 1_024 > this.link.maxPayloadBytes) {
      throw new DomainError('Refused', 'batch-too-large', `a batch of ${bytes.length} bytes is more than NATS takes`);
    }
    let msgID = `${batchId}:${attempt}`;
    return this.turns.run(() =>
      this.retrying(async () => {
        const ack = await this.link.js.publish(subject, bytes, {
          msgID,
          expect: { streamName: this.names.workStream },
        });
        // Sequence 0: the first one is still on its way through the replicas.
        if (ack.seq === 0) return undefined;
        if (!ack.duplicate || (await this.isSame(ack.seq, subject, bytes))) return { sequence: ack.seq };
        // Another writer has queued something else under this id.
        msgID = `${batchId}:${attempt}:${randomUUID()}`;
        return undefined;
      }),
    );
  }

  /** True also when the message is gone: then the batch was worked on. */
  private async isSame(sequence: number, subject: string, bytes: Uint8Array): Promise<boolean> {
    const stored = await this.message(sequence);
    return stored === undefined || (stored.subject === subject && Buffer.compare(stored.data, bytes) === 0);
  }

  /**
   * The bytes of a batch; undefined once it has been removed, or if no coordinator queued it.
   *
   * @throws DomainError Unavailable, also while the work stream does not exist.
   */
  async read(sequence: number): Promise<Uint8Array | undefined> {
    const message = await this.message(sequence);
    if (!message) return undefined;
    const [workerId, jobId] = message.subject.split('.').slice(-2);
    const { seal } = this.options;
    return !seal || seal.holds(workContext(workerId, jobId), message.data, sequence) ? message.data : undefined;
  }

  /** Reads the message at a place, of any batch. @throws as `read` */
  async stored(sequence: number): Promise<Uint8Array | undefined> {
    return (await this.message(sequence))?.data;
  }

  private async message(sequence: number): Promise<StoredMsg | undefined> {
    const { jsm } = this.link;
    try {
      return await unavailableUnlessRefused(this.link, () =>
        jsm.streams.getMessage(this.names.workStream, { seq: sequence }),
      );
    } catch (error) {
      if (apiCodeOf(error) === ApiCode.noMessageFound) return undefined;
      if (apiCodeOf(error) !== ApiCode.streamNotFound) throw error;
      const text = 'the work stream is not there; a coordinator that starts makes it';
      throw new DomainError('Unavailable', 'work-stream-missing', text, { cause: error });
    }
  }

  /** Undefined if the worker has no queue (yet). @throws DomainError Unavailable */
  async deliveries(workerId: string): Promise<Deliveries | undefined> {
    const { workStream } = this.names;
    try {
      const { ack_floor, delivered, num_ack_pending } = await unavailableUnlessRefused(this.link, () =>
        this.link.jsm.consumers.info(workStream, this.names.workerConsumer(workerId)),
      );
      return {
        acknowledgedUpTo: ack_floor.stream_seq,
        deliveredUpTo: delivered.stream_seq,
        unacknowledged: num_ack_pending,
      };
    } catch (error) {
      if (apiCodeOf(error) === ApiCode.consumerNotFound || apiCodeOf(error) === ApiCode.streamNotFound)
        return undefined;
      throw error;
    }
  }

  /** Removes a batch. It is no error if it is already gone. */
  async remove(sequence: number): Promise<void> {
    await this.turns.run(() =>
      this.retrying(async () => {
        try {
          await this.link.jsm.streams.deleteMessage(this.names.workStream, sequence, false);
        } catch (error) {
          // The server gives the same answer for "not there" and "could not".
          if (!isDefiniteRefusal(error) && apiCodeOf(error) !== ApiCode.messageDeleteFailed) throw error;
          if ((await this.message(sequence)) !== undefined) throw new Error(messageOf(error), { cause: error });
        }
        return true;
      }),
    );
  }

  /** Removes everything queued for a job, with all workers. @returns how many batches. */
  purgeJob(jobId: string): Promise<number> {
    return this.purge(this.names.workOfJob(jobId));
  }

  /** Removes everything queued for a worker. @returns how many batches. */
  purgeWorker(workerId: string): Promise<number> {
    return this.purge(this.names.workOfWorker(workerId));
  }

  private purge(filter: string): Promise<number> {
    return this.retrying(async () => (await this.link.jsm.streams.purge(this.names.workStream, { filter })).purged);
  }

  private async retrying<T>(operation: () => Promise<T | undefined>): Promise<T> {
    const retry = new RetryBudget(this.link, this.budgetMs);
    while (await retry.next()) {
      try {
        const result = await this.link.abortable(operation);
        if (result !== undefined) return result;
      } catch (error) {
        if (isDefiniteRefusal(error) && apiCodeOf(error) !== ApiCode.duplicateInProcess) {
          const text = `NATS refuses: ${messageOf(error)}`;
          throw new DomainError('Unavailable', 'work-queue-refused', text, { cause: error });
        }
        retry.note(error);
      }
    }
    throw retry.exhausted();
  }
}
