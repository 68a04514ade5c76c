import { Injectable } from '@nestjs/common';
import { WorkerClient } from '#contexts/membership/http';
import { UfsError } from '#ufs';
import { QuotaGate } from '../quota/quota-gate.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { JobConnectors } from './job-connectors.js';
import { JobWriter } from './job-writer.js';

/** Makes the quota gate of a job. */
@Injectable()
export class QuotaGates {
  constructor(
    readonly ledger: QuotaLedger,
    private readonly workers: WorkerClient,
    private readonly connectors: JobConnectors,
    private readonly writer: JobWriter,
  ) {}

  of(jobId: string, signal: AbortSignal): QuotaGate {
    const { ledger, workers, connectors, writer } = this;
    const stat = async (path: string) => {
      const lease = connectors.lease();
      try {
        return await lease.connectorFor(path).stat(path, signal);
      } catch (error) {
        // The worker that is to load the file will meet the same error and report it.
        if (error instanceof UfsError) return undefined;
        throw error;
      } finally {
        await lease.release();
      }
    };
    return new QuotaGate({
      ledger,
      workers,
      jobId,
      stat,
      signal,
      reserve: (...room) => writer.reserve(jobId, ...room),
    });
  }
}
