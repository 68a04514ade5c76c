import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CopyThreadError } from '../types.js';
import { serveCopies, type CopyAnswer, type CopyTask } from './copy-loop.js';

/** A copy takes a core while it runs, and more threads would only keep the disk's queue longer. */
const threadsAtMost = 4;
/** A thread may end for a reason of its own. A task that ends this many of them is given up. */
const attemptsAtMost = 3;
/** All that the loop allocates are the messages. */
const heapMegabytes = 16;

export interface Copied {
  copiedBytes: number;
  crc32: number;
}

interface Job {
  readonly task: CopyTask;
  attempts: number;
  resolve(copied: Copied): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
}

/**
 * Threads that copy between open files. Blocking calls in a thread of its own cost a fraction of what a chunk costs that
 * goes through libuv's thread pool and the main thread. They start when they are needed, and do not keep the process alive
 * while they are idle.
 */
export class CopyThreads {
  private readonly threads = new Set<Thread>();
  private readonly waiting: Job[] = [];
  private lastId = 0;
  private closed = false;

  /** @param script the text of a thread; tests give others */
  constructor(
    private readonly size = Math.min(threadsAtMost, availableParallelism()),
    private readonly script = loopScript,
  ) {}

  /**
   * Copies a stretch. When this settles, no thread uses the two files for it any more.
   * @returns fewer bytes than asked for where the source ends before
   * @throws the error of a system call, with its `code` and `syscall`; CopyThreadError
   */
  copy(task: CopyTask): Promise<Copied> {
    if (this.closed) return Promise.reject(new Error('The cache store is closed'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, attempts: 0, resolve, reject });
      this.serve();
    });
  }

  /** Ends the threads. Call it when no copy is under way. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.threads].map(({ worker }) => worker.terminate()));
  }

  private serve(): void {
    while (this.waiting.length > 0) {
      const thread = this.idleThread();
      if (thread === undefined) return;
      const job = this.waiting.shift()!;
      job.attempts++;
      thread.job = job;
      thread.worker.ref();
      thread.worker.postMessage({ id: ++this.lastId, ...job.task });
    }
  }

  private idleThread(): Thread | undefined {
    for (const thread of this.threads) if (thread.job === undefined) return thread;
    return this.threads.size < this.size ? this.start() : undefined;
  }

  private start(): Thread {
    const resourceLimits = { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: heapMegabytes };
    const worker = new Worker(this.script, { eval: true, name: 'copy', execArgv: [], resourceLimits });
    const thread: Thread = { worker, job: undefined };
    this.threads.add(thread);
    worker.unref();
    let cause: unknown;
    worker.on('message', (answer: CopyAnswer) => this.answered(thread, answer));
    worker.on('error', (error) => (cause = error));
    // Only after this does the thread certainly run no system call any more.
    worker.on('exit', () => this.ended(thread, cause));
    return thread;
  }

  private answered(thread: Thread, { copiedBytes, crc32, error }: CopyAnswer): void {
    const { job } = thread;
    thread.job = undefined;
    thread.worker.unref();
    if (error) job?.reject(Object.assign(new Error(error.message), error));
    else job?.resolve({ copiedBytes, crc32 });
    this.serve();
  }

  /** A copy can be repeated: it writes the same bytes to the same place. */
  private ended(thread: Thread, cause: unknown): void {
    this.threads.delete(thread);
    const { job } = thread;
    if (job !== undefined && !this.closed && job.attempts < attemptsAtMost) this.waiting.unshift(job);
    else job?.reject(new CopyThreadError(`The thread that copied has ended ${job.attempts} times`, { cause }));
    this.serve();
  }
}

const loopScript = `
  const { parentPort: port } = require('node:worker_threads');
  const { crc32 } = require('node:zlib');
  (${serveCopies.toString()})({ port, fs: require('node:fs'), crc32 });`;
