import { mountOfUfsPath, namespaceView, resolveUfsPath, storeOfMount } from '#contexts/namespace';
import { type ConnectorLease } from '#contexts/namespace/ufs';
import { type HashRing } from '#hash-ring';
import { RetriesExhausted, StoreWaits, UfsError, type StoreOutage } from '#ufs';
import { addSpecialFiles, mainPass, type FileFailure, type JobRecord, type Pass, type SpecialFiles } from '../index.js';
import {
  otherStore,
  planBatches,
  storesOf,
  type SourceFile,
  type SourcePage,
  type SourcePorts,
} from '../kinds/index.js';
import { type Admission } from '../quota/quota-gate.js';
import { sendBatches } from './send-batches.js';
import { PageReader } from './page-reader.js';
import type { JobRunPorts } from './ports.js';

/**
 * Larger stretches make fuller batches; smaller ones reach the workers, and the log, sooner. So the first stretches of a
 * pass give each worker two batches, later ones five.
 */
const minStepFiles = 1000;
const maxStepFiles = 10_000;
const earlySteps = 25;
const batchesOf = (steps: number): number => (steps < earlySteps ? 2 : 5);
/** A stretch with so many refused names is closed, and their paths are cut: the event must fit into a message. */
const manyRejected = 200;
const shortPath = 400;
const longFault = 1000;

interface Stretch {
  files: SourceFile[];
  filteredFiles: number;
  seenEntries: number;
  specialFiles?: SpecialFiles;
  rejected: FileFailure[];
  cursor: string;
  done: boolean;
  error?: string;
  quotaError?: string;
}

/** Reads the job's source and sends it to workers, a stretch at a time. Holds one stretch, never the whole list. */
export class Planner {
  private pages?: PageReader;
  private at?: { pass: Pass; cursor: string };
  private lease?: ConnectorLease;
  private readonly waits = new StoreWaits();

  constructor(
    private readonly jobId: string,
    private readonly epoch: number,
    private readonly ports: JobRunPorts,
    private readonly signal: AbortSignal,
  ) {}

  get storeWait(): StoreOutage | undefined {
    return this.waits.first;
  }

  /** Plans a stretch. Does nothing when the source has no stretch yet because it waits for its store. */
  async planStep(record: JobRecord, ring: HashRing): Promise<void> {
    const { pass } = record.state;
    try {
      const unfit = this.pages?.isPending ? undefined : await this.preflight(record, ring);
      const stretch = unfit === undefined ? await this.readOn(record, ring) : nothing(record, unfit);
      if (!stretch) return;
      const admission = await this.admit(record, stretch, ring);
      await this.record(record, stretch, admission, ring);
      if (this.pages) this.at = { pass, cursor: stretch.cursor };
    } catch (error) {
      // Pages that were read but not recorded must be read again, from the cursor in the log.
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const pages = this.pages;
    this.pages = undefined;
    this.at = undefined;
    await pages?.close();
    await this.lease?.release();
    this.lease = undefined;
  }

  /**
   * Reads pages until they make a stretch. An error of the source is part of the stretch: the pages before it count.
   * Undefined while the first page waits for its store.
   */
  private async readOn(record: JobRecord, ring: HashRing): Promise<Stretch | undefined> {
    const { cursor, steps } = record.state;
    const stretch: Stretch = { files: [], filteredFiles: 0, seenEntries: 0, rejected: [], cursor, done: false };
    const { batchSize, replicas } = this.ports.kinds.of(record.kind).plan(record);
    const wanted = steps === 0 ? 1 : Math.ceil((batchesOf(steps) * batchSize * ring.members.length) / replicas);
    const target = Math.min(Math.max(wanted, steps === 0 ? 1 : minStepFiles), maxStepFiles);
    const moved = otherStore(storesOf(record.spec), (path) => this.storeAt(path));
    if (moved !== undefined) return { ...stretch, done: true, error: moved };
    try {
      const pages = await this.open(record);
      while (stretch.files.length < target && stretch.rejected.length < manyRejected && !stretch.done) {
        const next = await pages.read();
        if (!next) return stretch.cursor === cursor ? undefined : stretch;
        if (next.done) stretch.done = true;
        else append(stretch, next.value);
      }
    } catch (error) {
      await this.close();
      this.signal.throwIfAborted();
      if (!(error instanceof UfsError || error instanceof RetriesExhausted)) throw error;
      stretch.done = true;
      stretch.error = error.message;
    }
    return stretch;
  }

  private storeAt(ufsPath: string): string | undefined {
    const mount = mountOfUfsPath(this.ports.views.get(namespaceView).state, ufsPath);
    return mount && storeOfMount(mount);
  }

  /** Goes on with the open source if it stands at the cursor in the log, else opens it there. */
  private async open(record: JobRecord): Promise<PageReader> {
    const { pass, cursor } = record.state;
    if (this.pages && this.at?.pass === pass && this.at.cursor === cursor) return this.pages;
    await this.close();
    const lease = this.ports.connectors.lease();
    this.lease = lease;
    const { views, config } = this.ports;
    const abort = new AbortController();
    const sourcePorts: SourcePorts = {
      connectorFor: (path) => lease.connectorFor(path),
      resolve: (path) => resolveUfsPath(views.get(namespaceView).state, path, 'the line'),
      retry: {
        attempts: config.maxAttempts,
        baseDelayMs: config.retryBaseMs,
        maxDelayMs: config.retryMaxMs,
        onStoreWait: (outage) => this.waits.begin(outage),
      },
      signal: AbortSignal.any([this.signal, abort.signal]),
    };
    const pages = this.ports.kinds.of(record.kind).source(record.spec, pass, cursor, sourcePorts);
    this.pages = new PageReader(pages, this.waits, abort);
    this.at = { pass, cursor };
    return this.pages;
  }

  /**
   * Before the first byte is loaded: why the quotas cannot hold the whole walk; undefined when they may. An index does
   * not tell sizes.
   */
  private async preflight(record: JobRecord, ring: HashRing): Promise<string | undefined> {
    const { pass, steps } = record.state;
    const kind = this.ports.kinds.of(record.kind);
    const roots = kind.quotaRoots?.(record.spec) ?? [];
    if (pass !== mainPass || steps > 0 || !roots.some((root) => this.ports.quotas.ledger.concerns(root)))
      return undefined;
    const pages = await this.open(record);
    async function* files(): AsyncGenerator<SourceFile[]> {
      for (let page = await pages.read(); !page?.done; page = await pages.read()) if (page) yield page.value.files;
    }
    try {
      return await this.ports.quotas.of(this.jobId, this.signal).preflight(files(), ring, kind.plan(record).replicas);
    } catch (error) {
      // Ignore source errors here: `readOn` meets and reports them.
      if (error instanceof UfsError || error instanceof RetriesExhausted) return undefined;
      throw error;
    } finally {
      // The walk for the work itself starts again.
      await this.close();
    }
  }

  private async admit(record: JobRecord, stretch: Stretch, ring: HashRing): Promise<Admission> {
    const kind = this.ports.kinds.of(record.kind);
    const { pass, steps: step } = record.state;
    if (pass !== mainPass || !kind.quotaRoots) return { files: stretch.files, refused: [] };
    return this.ports.quotas
      .of(this.jobId, this.signal)
      .admit({ pass, step }, stretch.files, ring, kind.plan(record).replicas);
  }

  private async record(record: JobRecord, stretch: Stretch, admission: Admission, ring: HashRing): Promise<void> {
    const { pass, steps: step } = record.state;
    const plan = this.ports.kinds.of(record.kind).plan(record);
    const drafts = planBatches(this.jobId, pass, step, admission.files, ring, plan);
    const context = { record, epoch: this.epoch, attempt: 1 };
    const batches = await sendBatches(this.ports, context, drafts);
    const { files, filteredFiles, seenEntries, specialFiles, rejected, cursor, done, error, quotaError } = stretch;
    const overQuota = quotaError ?? admission.error;
    await this.ports.writer.execute(this.jobId, {
      type: 'PlanBatches',
      data: {
        epoch: this.epoch,
        pass,
        step,
        cursor,
        done,
        scannedFiles: files.length + filteredFiles + rejected.length,
        filteredFiles,
        seenEntries,
        rejected: cut([...rejected, ...admission.refused]),
        batches,
        ...(error === undefined ? {} : { sourceError: error }),
        ...(overQuota === undefined ? {} : { quotaError: overQuota }),
        ...(specialFiles === undefined ? {} : { specialFiles }),
      },
    });
  }
}

/** The stretch of a job that is refused as a whole before it begins. */
function nothing(record: JobRecord, reason: string): Stretch {
  const { cursor } = record.state;
  return {
    files: [],
    filteredFiles: 0,
    seenEntries: 0,
    rejected: [],
    cursor,
    done: true,
    error: reason,
    quotaError: reason,
  };
}

function append(stretch: Stretch, page: SourcePage): void {
  stretch.files.push(...page.files);
  stretch.filteredFiles += page.filteredFiles;
  stretch.seenEntries += page.seenEntries;
  stretch.rejected.push(...page.rejected);
  if (page.specialFiles !== undefined) addSpecialFiles((stretch.specialFiles ??= {}), page.specialFiles);
  stretch.cursor = page.cursor;
  stretch.done = page.done;
  if (page.error !== undefined) addFault(stretch, page.error);
}

/** Keeps the first errors only: a sentence for each of ten thousand would not fit into an event. */
function addFault(stretch: Stretch, fault: string): void {
  const { error } = stretch;
  if (error === undefined) stretch.error = fault;
  else if (error.length < longFault) stretch.error = `${error}; ${fault}`;
}

function cut(rejected: FileFailure[]): FileFailure[] {
  if (rejected.length < manyRejected) return rejected;
  return rejected.map((failure) => ({ ...failure, path: failure.path.slice(0, shortPath) }));
}
