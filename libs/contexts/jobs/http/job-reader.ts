import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
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
import {
  failureAnswer,
  JobKinds,
  wireState,
  type JobProgress,
  type JobWait,
  type LiveProgress,
} from '../kinds/index.js';
import { Presence } from '../owner/index.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { ProgressCache } from './progress-cache.js';

/** Answers about jobs: from the view, and for jobs that have left it from the log. */
@Injectable()
export class JobReader implements OnModuleDestroy {
  private readonly cache = new ProgressCache();
  /** A job's specification never changes. */
  private readonly roots = new WeakMap<JobRecord, readonly string[]>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly kinds: JobKinds,
    private readonly views: Views,
    private readonly store: EventStore,
    private readonly watch: WorkerWatch,
    private readonly ledger: QuotaLedger,
    private readonly presence: Presence,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {
    this.unsubscribe = views.onCommit((commit) => this.cache.follow(views.get(jobs), commit));
  }

  onModuleDestroy(): void {
    this.unsubscribe();
  }

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
    const estimate = this.estimateOnce();
    return listJobs(this.views.get(jobs), kind, asked).map((record) => this.present(record, estimate));
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

  /** The failures of a job in the order they were recorded: for each, a JSON document and a newline. */
  async failures(kind: string, id: string): Promise<AsyncIterable<string>> {
    await this.byId(kind, id);
    // Read the sequence now: the stream is read later, outside the request's context.
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
    // As in the view, only the first end of a batch counts: a report, or that the batch was given up.
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
    // A job that ended after the moment asked for is in the view of that moment, if it existed then.
    if (!finished || last!.sequence > (currentPast()?.sequence ?? Infinity)) throw noJob();
    const record = finished.data.summary as unknown as JobRecord;
    if (record.kind !== kind) throw noJob();
    return record;
  }

  /**
   * Zeros, as in the reference, where no quota applies to all that the job loads.
   * @param estimate the bytes that are used below a quota or on their way there
   */
  private quotaOf(record: JobRecord, estimate: Estimate): LiveProgress['quota'] {
    const kind = this.kinds.of(record.kind);
    if (!kind.quotaRoots || !this.config.quota) return undefined;
    let roots = this.roots.get(record);
    if (!roots) this.roots.set(record, (roots = kind.quotaRoots(record.spec)));
    // For the past, the fill is not known: only heartbeats carry it, and the log does not keep them.
    if (currentPast()) return { totalBytes: this.ledger.smallest(roots) ?? 0 };
    const quota = this.ledger.tightest(roots, estimate);
    return { totalBytes: quota?.limit ?? 0, remaining: quota?.remaining ?? 0 };
  }

  /** For a list: it asks for each quota once, although the quota may concern many of the jobs. */
  private estimateOnce(): Estimate {
    const known = new Map<string, number>();
    return (quotaUfsPath) => {
      const bytes = known.get(quotaUfsPath) ?? this.ledger.estimate(quotaUfsPath);
      known.set(quotaUfsPath, bytes);
      return bytes;
    };
  }

  private present(record: JobRecord, estimate: Estimate = this.estimateOnce()): JobProgress {
    const running = this.runningOf(record);
    const wait = this.waitOf(record, running);
    const quota = this.quotaOf(record, estimate);
    const live = {
      files: running.reduce((sum, batch) => sum + batch.files, 0),
      bytes: running.reduce((sum, batch) => sum + batch.bytes, 0),
      ...(wait && { wait }),
      ...(quota && { quota }),
    };
    const kind = this.kinds.of(record.kind);
    // The records of the past are not those that commits are folded into.
    return currentPast() ? kind.progress(record, nowMs(), live) : this.cache.progressOf(kind, record, nowMs(), live);
  }

  private runningOf(record: JobRecord): Running {
    if (isEmpty(record.inFlight)) return [];
    return this.watch.runningBatches(record.jobId).filter(({ batchId }) => record.inFlight[batchId] !== undefined);
  }

  /** What a running job waits for. For the past, a wait for a store is not known: only heartbeats tell of it. */
  private waitOf(record: JobRecord, running: Running): JobWait | undefined {
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

type Estimate = (quotaUfsPath: string) => number;
type Running = ReturnType<WorkerWatch['runningBatches']>;

function isEmpty(object: object): boolean {
  for (const _name in object) return false;
  return true;
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
