import { setTimeout as delay } from 'node:timers/promises';
import { within } from '#async';
import { HashRing } from '#hash-ring';
import { DomainError, unreachable } from '#kernel';
import type { StoreOutage } from '#ufs';
import {
  dispatchAtOnce,
  hasRoom,
  isListOf,
  jobs,
  nextAction,
  type BatchInFlight,
  type JobAction,
  type JobRecord,
  type JobWorld,
} from '../index.js';
import { passNames } from '../kinds/index.js';
import { Dispatcher } from './dispatcher.js';
import { finishData } from './finish.js';
import { LostBatchSearch } from './lost-batches.js';
import { Planner } from './planner.js';
import type { JobRunPorts } from './ports.js';

/** The run looks whether something is due at least this often, even without events. */
const idleMs = 1000;
/** Pause after an error that may pass. */
const pauseMs = 500;
/**
 * A batch is given up when this many workers were lost while they had it. A worker that a batch crashed several times
 * gives the batch up by itself, so this is only for workers that do not come back. It is high enough for machines that
 * are taken away now and then.
 */
const maxLosses = 10;
/** How often a batch that its worker has forgotten is sent again before it is given up. */
const maxForgotten = 3;
/** After so many unexpected errors the job ends as FAILED. Otherwise a lasting bug would keep it running for ever. */
const maxFaults = 5;

/** One job under one epoch: looks at the views and performs the next action, until the job is no longer ours. */
export class JobRun {
  private readonly abortion = new AbortController();
  private readonly planner: Planner;
  private readonly dispatcher: Dispatcher;
  private readonly lost: LostBatchSearch;
  /** How often this owner has sent each batch again that its worker had forgotten. */
  private readonly forgotten = new Map<string, number>();
  private readonly lists = new Map<string, number>();
  private wakeUp: () => void = () => undefined;
  private awake = false;
  private lastHindrance = '';

  constructor(
    private readonly jobId: string,
    private readonly epoch: number,
    private readonly selfId: string,
    private readonly ports: JobRunPorts,
  ) {
    this.planner = new Planner(jobId, epoch, ports, this.abortion.signal);
    this.dispatcher = new Dispatcher(jobId, epoch, ports);
    this.lost = new LostBatchSearch(jobId, {
      read: (sequence) => ports.looks.run(() => ports.work.read(sequence)),
      deliveries: (workerId) => ports.work.deliveries(workerId),
      caughtUp: () => ports.views.caughtUp(),
      record: () => this.record(),
      isRunning: (batchId) => ports.watch.runningBatches(jobId).some((batch) => batch.batchId === batchId),
      heldBy: (workerId) => ports.watch.heldBy(workerId),
    });
  }

  /** Why the listing waits; undefined when it does not wait. */
  get storeWait(): StoreOutage | undefined {
    return this.planner.storeWait;
  }

  wake(): void {
    this.awake = true;
    this.wakeUp();
  }

  abort(): void {
    this.abortion.abort();
    this.wake();
  }

  async run(): Promise<void> {
    let faults = 0;
    try {
      for (let record = this.record(); record; record = this.record()) {
        this.awake = false;
        try {
          await this.step(record);
          faults = 0;
        } catch (error) {
          if (this.abortion.signal.aborted) return;
          if (error instanceof DomainError && error.kind !== 'Bug') {
            // When the job was fenced, stopped or finished, the next look at the record ends the run. When NATS is
            // away, try again.
            if (error.kind === 'Unavailable') await this.pauseFor(error);
            continue;
          }
          this.ports.log(`job ${this.jobId}: ${error instanceof Error ? error.stack : String(error)}`);
          if (++faults >= maxFaults) await this.giveUp(error);
          else await this.sleep(pauseMs);
        }
      }
    } finally {
      this.ports.window.forget(this.jobId);
      await this.planner.close();
    }
  }

  private window(): Pick<JobWorld, 'batchWindow' | 'jobs' | 'ofOthers'> {
    const { config, window } = this.ports;
    return { batchWindow: config.batchWindow, jobs: window.jobs, ofOthers: window.ofOthers(this.jobId) };
  }

  /** The job's record as long as this run is its rightful owner. */
  private record(): JobRecord | undefined {
    const record = this.ports.views.get(jobs).jobs.get(this.jobId);
    if (this.abortion.signal.aborted || !record) return undefined;
    const { status, owner, epoch } = record.state;
    return status === 'running' && owner === this.selfId && epoch === this.epoch ? record : undefined;
  }

  private async step(record: JobRecord): Promise<void> {
    this.removeSettledLists(record);
    this.ports.window.note(this.jobId, Object.keys(record.inFlight).length);
    const ring = this.ports.ringNow();
    await this.mendLost(record, ring);
    const kind = this.ports.kinds.of(record.kind);
    const action = nextAction(record, {
      ring,
      ...this.window(),
      maxLosses,
      passes: passNames(kind, record.spec),
      movable: kind.plan(record).placement === 'owners',
    });
    await this.perform(action, record, ring);
  }

  private async mendLost(record: JobRecord, ring: string[]): Promise<void> {
    const { listless, forgotten } = await this.lost.find(record);
    for (const batch of listless) {
      this.ports.log(`job ${this.jobId}: the list of batch ${batch.id} is lost; its files are given up`);
      await this.dispatcher.park(record, batch);
    }
    // The batches of lost workers are moved by another action.
    const again = forgotten.filter(({ workerId }) => ring.includes(workerId)).slice(0, dispatchAtOnce);
    const [hopeless, hopeful] = [true, false].map((given) => again.filter((batch) => this.isHopeless(batch) === given));
    for (const batch of hopeless) {
      const why = `worker ${batch.workerId} acknowledged it again and again without a report`;
      await this.dispatcher.park(record, batch, why);
    }
    if (hopeful.length === 0) return;
    const ids = hopeful.map(({ id }) => id).join(', ');
    this.ports.log(`job ${this.jobId}: no worker has batches ${ids} in hand any more; they are sent again`);
    for (const { id } of hopeful) this.forgotten.set(id, (this.forgotten.get(id) ?? 0) + 1);
    await this.dispatcher.dispatch(record, hopeful, 'forgotten', new HashRing(ring));
  }

  private isHopeless({ id }: BatchInFlight): boolean {
    return (this.forgotten.get(id) ?? 0) >= maxForgotten;
  }

  private async perform(action: JobAction, record: JobRecord, ring: string[]): Promise<void> {
    const { epoch } = this;
    switch (action.type) {
      case 'Plan':
        return this.planner.planStep(record, new HashRing(ring));
      case 'Dispatch':
        return this.dispatcher.dispatch(record, action.batches, action.reason, new HashRing(ring));
      case 'Park':
        return this.dispatcher.park(record, action.batch);
      case 'StartPass':
        return this.ports.writer.execute(this.jobId, { type: 'StartPass', epoch, pass: action.pass });
      case 'Finish':
        return this.finish(record);
      case 'Wait':
        return this.untilNews(record);
      default:
        return unreachable(action);
    }
  }

  private async finish(record: JobRecord): Promise<void> {
    const { state, message } = this.ports.kinds.of(record.kind).conclude(record);
    await this.ports.writer.execute(this.jobId, {
      type: 'Finish',
      data: finishData(record, this.epoch, state, message),
    });
    await this.ports.work.purgeJob(this.jobId);
  }

  private async giveUp(error: unknown): Promise<void> {
    const record = this.record();
    const reason = error instanceof Error ? error.message : String(error);
    const message = `internal error: ${reason.slice(0, 300)}`;
    if (record) {
      await this.ports.writer.execute(this.jobId, {
        type: 'Finish',
        data: finishData(record, this.epoch, 'FAILED', message),
      });
    }
  }

  /** Logs the reason for the wait once, not every half second. */
  private async pauseFor(error: DomainError): Promise<void> {
    if (this.lastHindrance !== error.message) this.ports.log(`job ${this.jobId} waits: ${error.message}`);
    this.lastHindrance = error.message;
    await delay(pauseMs);
  }

  /** Removes the lists of settled batches. Those of withdrawn batches stay: a resume needs them. */
  private removeSettledLists(record: JobRecord): void {
    for (const [id, sequence] of this.lists) {
      if (record.inFlight[id]?.workSequence === sequence) continue;
      this.lists.delete(id);
      this.removeList(id, sequence).catch((error: unknown) => {
        // Harmless: the end of the job purges all of its lists that are left.
        this.ports.log(`job ${this.jobId}: the list of batch ${id} was not removed: ${String(error)}`);
      });
    }
    for (const { id, workSequence } of Object.values(record.inFlight)) this.lists.set(id, workSequence);
  }

  /**
   * Checks first that the message is this batch's: a work stream that lost its end may have given the place to another
   * job.
   */
  private async removeList(id: string, sequence: number): Promise<void> {
    const { work } = this.ports;
    if (isListOf(this.jobId, id, await work.stored(sequence))) await work.remove(sequence);
  }

  /** Resolves when a commit concerns the job, other jobs have left room, or lost batches are to be looked for. */
  private async untilNews(record: JobRecord): Promise<void> {
    const room = () => hasRoom(Object.keys(record.inFlight).length, { ring: this.ports.ringNow(), ...this.window() });
    const hadRoom = room();
    do await this.sleep(idleMs);
    while (!this.awake && room() === hadRoom && !this.lost.isDue(record));
  }

  private async sleep(ms: number): Promise<void> {
    if (this.awake) return;
    await within(new Promise<void>((resolve) => (this.wakeUp = resolve)), ms);
  }
}
