import { type WorkerClient } from '#contexts/membership/http';
import { type ConnectorPool } from '#contexts/namespace/ufs';
import { type WorkQueue } from '#jetstream';
import { type LarderConfig, type Views } from '#runtime';
import { type JobCommand, type Pass } from '../index.js';
import { type QuotaLedger } from '../quota/quota-ledger.js';

/** What the owner of a job works with. */
export interface JobRunPorts {
  views: Views;
  work: WorkQueue;
  config: LarderConfig;
  connectors: ConnectorPool;
  selfId: string;
  ledger: QuotaLedger;
  workers: WorkerClient;
  /** Whether a worker that lives says that it has the batch in hand. */
  isRunning(jobId: string, batchId: string): boolean;
  /** The places in the work stream of what a worker says that it holds; undefined while it is not heard. */
  heldBy(workerId: string): readonly number[] | undefined;
  /** Sets bytes aside below quotas. @throws DomainError StaleVersion when another job has done so meanwhile */
  reserve(jobId: string, pass: Pass, step: number, bytes: Record<string, number>): Promise<void>;
  /** Appends to the job's boundary under its expected sequence and waits until the views show it. */
  execute(jobId: string, command: JobCommand): Promise<void>;
  log(line: string): void;
}
