import { Inject, Injectable, Logger } from '@nestjs/common';
import { Semaphore } from '#async';
import { membershipView, ringMembers } from '#contexts/membership';
import { WorkerWatch } from '#contexts/membership/http';
import { WorkQueue } from '#jetstream';
import { CONFIG, Views, type LarderConfig } from '#runtime';
import { JobKinds } from '../kinds/index.js';
import { JobConnectors } from './job-connectors.js';
import { JobWriter } from './job-writer.js';
import { QuotaGates } from './quota-gates.js';
import { SharedWindow } from './shared-window.js';

const looksAtOnce = 64;
const sendersAtOnce = 16;

/** The services that the owner of a job uses. */
@Injectable()
export class JobRunPorts {
  private readonly logger = new Logger('jobs');
  /** Turns of those that send: many jobs can plan at once, and what is encoded waits in memory for its turn in the queue. */
  readonly sending = new Semaphore(sendersAtOnce);
  readonly window = new SharedWindow();
  private members: { sequence: number; ring: string[] } | undefined;
  /** Turns of looks for lost batches: many jobs can be due at once, and each reads all of its lists. */
  readonly looks = new Semaphore(looksAtOnce);

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

  /** Ids of the workers on the ring. Every step of every job asks. */
  ringNow(): string[] {
    const { sequence, state } = this.views.get(membershipView);
    if (this.members?.sequence !== sequence) this.members = { sequence, ring: ringMembers(state) };
    return this.members.ring;
  }

  log(line: string): void {
    this.logger.warn(line);
  }
}
