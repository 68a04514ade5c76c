import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { openCacheStore, type CacheStore } from '#cache-store';
import { encodeWorkBatch, type WorkBatch } from '#contexts/jobs';
import { ConnectorPool } from '#contexts/namespace/ufs';
import { HashRing } from '#hash-ring';
import type { BatchOutcome, WorkerJobKind, WorkerPorts } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import { pino } from 'pino';
import { JobBandwidths } from './bandwidth.js';
import { BatchCheckpoints } from './batch-checkpoints.js';
import { BatchExecutor } from './batch-executor.js';
import { BatchRunner, type BatchMessage } from './batch-runner.js';
import { ExclusiveGate } from './exclusive-gate.js';
import { JobStates } from '../log/job-states.js';
import { RunningJournal } from './running-journal.js';
import { TransferSlots } from './transfer-slots.js';

const logger = pino({ level: 'silent' });

function batch(changes: Partial<WorkBatch> = {}): WorkBatch {
  return {
    v: 2,
    jobId: 'j',
    kind: 'test',
    batchId: 'b',
    pass: 'main',
    epoch: 1,
    attempt: 1,
    copy: 0,
    namespaceSequence: 1,
    options: {},
    root: 'file:///',
    files: [['a', 1, 'v']],
    ...changes,
  };
}

/** What was done with a message: `ack`, or `retry <delay>`. */
class Message implements BatchMessage {
  readonly deliveries = 1;
  readonly sequence = 1;
  readonly jobId = 'job-1';
  readonly done: string[] = [];

  constructor(readonly bytes: Uint8Array) {}

  ack(): Promise<void> {
    this.done.push('ack');
    return Promise.resolve();
  }

  retryLater(delayMs: number): void {
    this.done.push(`retry ${delayMs}`);
  }
}

describe('BatchRunner', () => {
  let directory: string;
  let cache: CacheStore;
  let jobs: JobStates;
  let runner: BatchRunner;
  let execute: (batch: WorkBatch, ports: WorkerPorts) => Promise<BatchOutcome>;
  let bandwidths: JobBandwidths;
  const settled: BatchOutcome[] = [];
  const forgotten: string[] = [];
  const loaded: BatchOutcome = { counts: { loadedFiles: 1 }, failures: [] };
  const givenUp: BatchOutcome = { counts: { failedFiles: 1 }, failures: [] };

  beforeEach(async () => {
    settled.length = forgotten.length = 0;
    bandwidths = new JobBandwidths();
    directory = await mkdtemp(path.join(tmpdir(), 'larder-runner-'));
    cache = await openCacheStore({ directory, capacityBytes: 2 ** 20 });
    const journal = await RunningJournal.open(path.join(directory, 'running'));
    const checkpoints = await BatchCheckpoints.open(path.join(directory, 'progress'));
    const kind: WorkerJobKind = {
      name: 'test',
      execute: (one, ports) => execute(one, ports),
      failAll: () => givenUp,
      bandwidthOf: ({ options }) => (options.ownRate as number | undefined) ?? 0,
    };
    jobs = new JobStates(() => Promise.resolve(undefined), {
      jobEnded: (...ended) => runner.jobEnded(...ended),
      jobResumed: () => undefined,
      jobRetuned: () => undefined,
    });
    const executor = new BatchExecutor({
      workerId: 'worker-1',
      cache,
      members: () => Promise.resolve({ sequence: 0, ring: new HashRing(['worker-1']), workers: {} }),
      removeCopy: (one) => cache.delete(one),
      unmounted: cache,
      storeOf: () => 'file:',
      roomFor: () => () => Promise.resolve({ release: () => undefined }),
      sourceOf: (from) => from,
      checkpointOf: (batchId) => checkpoints.of(batchId),
      pool: new ConnectorPool(
        () => undefined,
        () => {
          throw new Error('nothing is mounted');
        },
        { basePauseMs: 1, maxPauseMs: 1, maxOutageMs: 1 },
      ),
      slots: new TransferSlots({ size: 1 }),
      limitedSlots: new TransferSlots({ size: 1 }),
      largeObjects: new TransferSlots({ size: 1 }),
      parts: new TransferSlots({ size: 1 }),
      bandwidths,
      gate: new ExclusiveGate(),
      journal,
      retry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
      logger,
    });
    runner = new BatchRunner({
      kinds: { test: kind },
      isGenuine: ({ bytes }) => !Buffer.from(bytes).includes('forged'),
      jobs,
      executor,
      namespaceAt: () => Promise.resolve(),
      settle: (_batch, outcome) => {
        settled.push(outcome);
        return Promise.resolve();
      },
      forget: (batchId, why) => {
        forgotten.push(`${batchId} ${why}`);
        return journal.forget(batchId);
      },
      logger,
    });
    execute = () => Promise.resolve(loaded);
  });
  afterEach(async () => {
    await cache.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** What the log says next of the job. */
  function tell(sequence: number, type: string, data = {}): void {
    const recorded = { id: 'e', v: 1, at: '', actor: '', requestId: '', type, data };
    jobs.evolve({ sequence, boundary: 'job.j', events: [recorded] });
  }

  async function handle(bytes: Uint8Array): Promise<string[]> {
    const message = new Message(bytes);
    await runner.handle(message);
    return message.done;
  }

  /** An execution that goes on until it is aborted. */
  function executeUntilAborted(): Promise<void> {
    return new Promise((started) => {
      execute = (_batch, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          started();
        });
    });
  }

  it('settles, then acks', async () => {
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['ack']);
    expect(settled).toEqual([loaded]);
    expect(runner.running()).toEqual([]);
  });

  it.each([
    [0, 'paid'],
    [1, 'waits'],
  ])('limits a batch to the rate that its kind reads from the options: %i', async (ownRate, expected) => {
    let seen: string | undefined;
    execute = async (_batch, ports) => {
      const leave = new AbortController();
      const paid = ports.throttle('j', 2 ** 30, leave.signal).then(
        () => 'paid',
        () => 'left',
      );
      seen = await Promise.race([paid, setImmediate('waits')]);
      leave.abort();
      return loaded;
    };
    await handle(encodeWorkBatch(batch({ options: { ownRate } })));
    expect(seen).toBe(expected);
  });

  it('leaves a batch that it cannot read for a newer build', async () => {
    expect(await handle(Buffer.from('not JSON'))).toEqual(['retry 30000']);
    expect(await handle(Buffer.from(JSON.stringify({ ...batch(), v: 3 })))).toEqual(['retry 30000']);
    expect(await handle(encodeWorkBatch(batch({ kind: 'unheard-of' })))).toEqual(['retry 30000']);
    expect(await handle(encodeWorkBatch(batch({ kind: 'constructor' })))).toEqual(['retry 30000']);
    expect(settled).toEqual([]);
  });

  it('does not do a settled batch again, from any sender and under any epoch', async () => {
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['ack']);
    execute = () => Promise.reject(new Error('begun again'));
    expect(await handle(encodeWorkBatch(batch({ epoch: 2 })))).toEqual(['ack']);
    expect(settled).toEqual([loaded]);
  });

  it('does a batch again that is dispatched again, because its earlier report did not count', async () => {
    await handle(encodeWorkBatch(batch()));
    expect(await handle(encodeWorkBatch(batch({ attempt: 2 })))).toEqual(['ack']);
    expect(settled).toEqual([loaded, loaded]);
  });

  it('does not begin a batch that is already running', async () => {
    const started = executeUntilAborted();
    const first = handle(encodeWorkBatch(batch()));
    await started;
    expect(await handle(encodeWorkBatch(batch({ attempt: 2 })))).toEqual(['retry 1000']);
    expect(runner.running()).toEqual([{ jobId: 'j', batchId: 'b', files: 0, bytes: 0 }]);
    await runner.stop();
    expect(await first).toEqual(['retry 0']);
  });

  it('breaks off the batches of a job that is stopped, and acks them', async () => {
    const started = executeUntilAborted();
    const handled = handle(encodeWorkBatch(batch({ jobSequence: 20 })));
    await started;
    tell(21, 'JobStopped');
    expect(await handled).toEqual(['ack']);
    expect(await handle(encodeWorkBatch(batch({ jobSequence: 20 })))).toEqual(['ack']);
    expect(settled).toEqual([]);
    expect(forgotten).toEqual(['b stopped', 'b stopped']);
  });

  it('goes on with the batches of a resumed job when it learns late of the stop before', async () => {
    let end = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      execute = (_batch, { signal }) =>
        new Promise((done, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          end = () => done(loaded);
          resolve();
        });
    });
    const handled = handle(encodeWorkBatch(batch({ epoch: 2, attempt: 2, jobSequence: 25 })));
    await started;
    tell(21, 'JobStopped');
    tell(23, 'JobResumed');
    end();
    expect(await handled).toEqual(['ack']);
    expect(settled).toEqual([loaded]);
  });

  it('begins no batch from before a stop, although the job runs again', async () => {
    tell(21, 'JobStopped');
    tell(23, 'JobResumed');
    expect(await handle(encodeWorkBatch(batch({ jobSequence: 20 })))).toEqual(['ack']);
    expect(settled).toEqual([]);
  });

  it('remembers nothing of the batches of a job that has ended', async () => {
    tell(21, 'JobFinished');
    expect(await handle(encodeWorkBatch(batch({ jobSequence: 20 })))).toEqual(['ack']);
    expect(forgotten).toEqual(['b finished']);
  });

  it.each([
    ['set after it was sent', 21, 'limited'],
    ['that it was sent with', 19, 'unlimited'],
  ])('limits a batch to the rate %s', async (_case, sequence, expected) => {
    tell(sequence, 'JobRetuned', { bandwidth: 5 });
    let seen = '';
    execute = () => Promise.resolve(loaded).finally(() => (seen = bandwidths.isLimited('j') ? 'limited' : 'unlimited'));
    await handle(encodeWorkBatch(batch({ jobSequence: 20 })));
    expect(seen).toBe(expected);
  });

  it('fault 12: tries a batch that fails by a bug three times, then gives it up', async () => {
    execute = () => Promise.reject(new TypeError('a bug'));
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['retry 1000']);
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['retry 1000']);
    expect(settled).toEqual([]);
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['ack']);
    expect(settled).toEqual([givenUp]);
    expect(await readdir(path.join(directory, 'running'))).toEqual([]);
  });

  it('postpones a batch while its job cannot be looked up', async () => {
    jest.spyOn(jobs, 'standingOf').mockRejectedValueOnce(new DomainError('Unavailable', 'nats-unreachable', 'away'));
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['retry 1000']);
    expect(await handle(encodeWorkBatch(batch()))).toEqual(['ack']);
  });
});
