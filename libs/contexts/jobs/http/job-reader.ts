import { Inject, Injectable } from '@nestjs/common';
import { WorkerWatch } from '#contexts/membership/http';
import { isAnyOnline, membershipView } from '#contexts/membership';
import { EventStore } from '#jetstream';
import { DomainError } from '#kernel';
import { CONFIG, currentPast, nowMs, Views, type LarderConfig } from '#runtime';
import { answerAs } from '#schema';
import {
  batchBoundary,
  findJob,
  jobBoundary,
  jobs,
  listJobs,
  mainPass,
  newestJob,
  type FileFailure,
  type JobPage,
  type JobRecord,
  type RecordedFailure,
  type WireState,
} from '../index.js';
import { failureAnswer, JobKinds, wireState, type JobProgress, type JobWait } from '../kinds/index.js';
import { Presence } from '../owner/index.js';
import { QuotaLedger } from '../quota/quota-ledger.js';

/** Answers about jobs: from the view, and for jobs that have left it from the log. */
@Injectable()
export class JobReader {
  constructor(
    private readonly kinds: JobKinds,
    private readonly views: Views,
    private readonly store: EventStore,
    private readonly watch: WorkerWatch,
    private readonly ledger: QuotaLedger,
    private readonly presence: Presence,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  async byId(kind: string, id: string): Promise<JobProgress> {
    const record = await this.views.find(() => findJob(this.views.get(jobs), kind, id));
    return this.present(record ?? (await this.fromLog(kind, id)));
  }

  async newest(kind: string, matches: (record: JobRecord) => boolean): Promise<JobProgress> {
    const record = await this.views.find(() => newestJob(this.views.get(jobs), kind, matches));
    if (!record) throw noJob();
    return this.present(record);
  }

  /** @param state of those that are asked for; default any */
  list(kind: string, page: JobPage, state?: WireState): JobProgress[] {
    const matches = (record: JobRecord) => wireState(this.kinds.of(kind), record) === state;
    const asked = state === undefined ? page : { ...page, matches };
    return listJobs(this.views.get(jobs), kind, asked).map((record) => this.present(record));
  }

  isAnyWorkerUp(): boolean {
    return isAnyOnline(this.views.get(membershipView).state);
  }

  /** Waits until the job has ended or was stopped, however long that takes. @throws the signal's reason */
  async atEnd(kind: string, id: string, signal: AbortSignal): Promise<JobProgress> {
    await this.views.until(() => {
      const record = this.views.get(jobs).jobs.get(id);
      return !record || record.state.status !== 'running';
    }, signal);
    return this.byId(kind, id);
  }

  /** The failures of a job in the order they were recorded, a JSON document and a newline each. */
  async failures(kind: string, id: string): Promise<AsyncIterable<string>> {
    await this.byId(kind, id);
    // Told now: who reads the stream later is no longer within the request.
    return this.readFailures(id, currentPast()?.sequence);
  }

  private async *readFailures(id: string, through?: number): AsyncGenerator<string> {
    const parked = new Map<string, Parked>();
    for await (const commit of this.store.readBoundary(jobBoundary.of(id), { through })) {
      for (const event of jobBoundary.eventsIn(commit)) {
        if (event.type === 'BatchesPlanned' && event.data.pass === mainPass) yield* lines(event.data.rejected);
        if (event.type === 'BatchParked') {
          parked.set(event.data.batchId, { sequence: commit.sequence, failures: event.data.failures });
        }
      }
    }
    // As in the view, only what ended a batch first counts: a report, or its being given up.
    const ended = new Set<string>();
    for await (const commit of this.store.readBoundary(batchBoundary.of(id, '*'), { through })) {
      for (const { data } of batchBoundary.eventsIn(commit)) {
        const { batchId, workerId, failures } = data;
        if (ended.has(batchId) || (parked.get(batchId)?.sequence ?? Infinity) < commit.sequence) continue;
        ended.add(batchId);
        yield* lines(failures.map((failure) => ({ ...failure, workerId })));
      }
    }
    for (const [batchId, { failures }] of parked) if (!ended.has(batchId)) yield* lines(failures);
  }

  private async fromLog(kind: string, id: string): Promise<JobRecord> {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw noJob();
    const last = await this.store.lastOf(jobBoundary.of(id));
    const ended = last?.commit ? jobBoundary.eventsIn(last.commit) : [];
    const finished = ended.find((event) => event.type === 'JobFinished');
    // What ended later than the moment asked for would be in the view of then, had it been there.
    if (!finished || last!.sequence > (currentPast()?.sequence ?? Infinity)) throw noJob();
    const record = finished.data.summary as unknown as JobRecord;
    if (record.kind !== kind) throw noJob();
    return record;
  }

  /** Zeros, as in the reference, where no quota applies to all that the job loads. */
  private quotaOf(record: JobRecord): { quota?: { totalBytes: number; remaining?: number } } {
    const roots = this.kinds.of(record.kind).quotaRoots?.(record.spec);
    if (!roots || !this.config.quota) return {};
    // How full it was, only heartbeats knew.
    if (currentPast()) return { quota: { totalBytes: this.ledger.smallest(roots) ?? 0 } };
    const quota = this.ledger.tightest(roots);
    return { quota: { totalBytes: quota?.limit ?? 0, remaining: quota?.remaining ?? 0 } };
  }

  private present(record: JobRecord): JobProgress {
    const running = this.watch
      .runningBatches(record.jobId)
      .filter(({ batchId }) => record.inFlight[batchId] !== undefined);
    const files = running.reduce((sum, batch) => sum + batch.files, 0);
    const bytes = running.reduce((sum, batch) => sum + batch.bytes, 0);
    const wait = this.waitOf(record, running);
    const live = { files, bytes, ...(wait && { wait }), ...this.quotaOf(record) };
    return this.kinds.of(record.kind).progress(record, nowMs(), live);
  }

  /** What a running job stands still for. That a store is waited for, only heartbeats know: of the past nobody does. */
  private waitOf(record: JobRecord, running: ReturnType<WorkerWatch['runningBatches']>): JobWait | undefined {
    if (record.state.status !== 'running') return undefined;
    const { state, noneOnlineSince = record.submittedAt } = this.views.get(membershipView);
    if (!isAnyOnline(state)) {
      const since = noneOnlineSince > record.submittedAt ? noneOnlineSince : record.submittedAt;
      return { for: 'worker', since, reason: 'no worker is up' };
    }
    if (currentPast()) return undefined;
    const waits = [this.presence.waitOf(record.jobId), ...running.map(({ waiting }) => waiting)];
    const [first] = waits.filter((one) => one !== undefined).sort((a, b) => a.sinceMs - b.sinceMs);
    if (!first) return undefined;
    return { for: 'store', since: new Date(first.sinceMs).toISOString(), reason: `${first.ufs}: ${first.reason}` };
  }
}

function noJob(): DomainError {
  return new DomainError('NotFound', 'no-job', 'No job found...');
}

interface Parked {
  sequence: number;
  failures: FileFailure[];
}

function* lines(failures: readonly RecordedFailure[]): Generator<string> {
  for (const failure of failures) yield `${JSON.stringify(answerAs(failureAnswer, failure))}\n`;
}
