import { LiveSet } from '#runtime';
import type { Worker } from '../index.js';

/** After this many contradictions, the wait does not get longer. */
const mostDoublings = 3;

/**
 * How long a worker has been silent, by the heartbeats that this process hears and by the events that others wrote to
 * the log. In a split network, one coordinator may hear a worker that another does not. If the log contradicts a
 * coordinator's report of silence, it waits twice as long before its next one, until it hears the worker itself.
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

  /** Learns from the log. A worker that is new there, or that is online again, was heard just now by a coordinator. */
  learn(workers: Iterable<Worker>): void {
    for (const worker of workers) {
      const before = this.known.get(worker.workerId);
      if (before === worker) continue;
      this.known.set(worker.workerId, worker);
      if (before && worker.status !== 'online') continue;
      this.vouchedFor.hear(worker.workerId);
      // The same process is back, so it was reported as silent in between, even if that was not seen here.
      const isBack = before?.bootId === worker.bootId;
      if (isBack && !this.heard.isLive(worker.workerId)) this.count(worker.workerId);
    }
  }

  /** Whether no coordinator heard the worker for so long that it counts as offline; `graceMs` later, as lost. */
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
