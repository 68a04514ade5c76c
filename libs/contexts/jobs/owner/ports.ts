import { Inject, Injectable, Logger } from '@nestjs/common';
import { WorkerWatch } from '#contexts/membership/http';
import { WorkQueue } from '#jetstream';
import { CONFIG, Views, type LarderConfig } from '#runtime';
import { JobKinds } from '../kinds/index.js';
import { JobConnectors } from './job-connectors.js';
import { JobWriter } from './job-writer.js';
import { QuotaGates } from './quota-gates.js';

/** The services that the owner of a job uses. */
@Injectable()
export class JobRunPorts {
  private readonly logger = new Logger('jobs');

  constructor(
    readonly kinds: JobKinds,
    readonly views: Views,
    readonly work: WorkQueue,
    readonly watch: WorkerWatch,
    readonly connectors: JobConnectors,
    readonly quotas: QuotaGates,
    readonly writer: JobWriter,
    @Inject(CONFIG) readonly config: LarderConfig,
  ) {}

  log(line: string): void {
    this.logger.warn(line);
  }
}
