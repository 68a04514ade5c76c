import { LiveSet } from '#runtime';
import type { Worker } from '../index.js';

/** A coordinator that was contradicted so often waits no longer still. */
const mostDoublings = 3;

/**
 * How long a worker has been silent: by what this process hears, and by what others have heard and put into the log. Where
 * the network is split, one coordinator may hear a worker that another does not. A coordinator that says of a worker that it
 * is silent and is contradicted waits twice as long before it says so again, until it hears the worker itself.
 */
export class WorkerSilence {
  readonly heard: LiveSet;
  private readonly vouchedFor: LiveSet;
  private readonly known = new Map<string, Worker>();
  private readonly contradictions = new Map<string, number>();

  constructor(
    private readonly timeoutMs: number,
    now?: () => number,
  ) {
    this.heard = new LiveSet(timeoutMs, now);
    this.vouchedFor = new LiveSet(timeoutMs, now);
  }

  hear(workerId: string): void {
    this.heard.hear(workerId);
    this.contradictions.delete(workerId);
  }

  /** Takes in what the log says. Whom it names for the first time, or anew as online, was heard just now. */
  learn(workers: Iterable<Worker>): void {
    for (const worker of workers) {
      const before = this.known.get(worker.workerId);
      if (before === worker) continue;
      this.known.set(worker.workerId, worker);
      if (before && worker.status !== 'online') continue;
      this.vouchedFor.hear(worker.workerId);
      // The same process is back: it was taken for silent meanwhile, whether or not that was seen here.
      const isBack = before?.bootId === worker.bootId;
      if (isBack && !this.heard.isLive(worker.workerId)) this.count(worker.workerId);
    }
  }

  /** Whether nobody has heard the worker for so long that it counts as offline; after `graceMs` more it is lost. */
  isSilent(workerId: string, graceMs = 0): boolean {
    const patienceMs = this.timeoutMs * 2 ** (this.contradictions.get(workerId) ?? 0);
    const silences = [this.heard, this.vouchedFor].map((live) => live.silenceMs(workerId) ?? Infinity);
    return Math.min(...silences) > patienceMs + graceMs;
  }

  forgive(deafMs: number): void {
    this.heard.forgive(deafMs);
    this.vouchedFor.forgive(deafMs);
  }

  suspend(): void {
    this.heard.suspend();
    this.vouchedFor.suspend();
  }

  resume(): void {
    this.heard.resume();
    this.vouchedFor.resume();
  }

  private count(workerId: string): void {
    const times = this.contradictions.get(workerId) ?? 0;
    this.contradictions.set(workerId, Math.min(times + 1, mostDoublings));
  }
}
