import { Bell } from '#async';
import { type JobKeeps } from './job-keeps.js';
import { NoRoomError, type NewObject } from '../types.js';

/**
 * For so long what a job puts waits for room that writers under way may give back. It keeps a transfer from others
 * meanwhile, and most of those writers get to their end.
 */
const PATIENCE_MS = 10_000;

/**
 * Decides what becomes of an object for which there is no room. Much of what fills a cache may be promised to writers
 * that do not get to their end, and what jobs keep may be kept for one that has just ended: a file fails only when
 * neither can help.
 */
export class Admission {
  private readonly news = new Bell();
  private departures = 0;
  private closed = false;

  constructor(private readonly keeps: JobKeeps) {
    keeps.onLetGo = () => this.noteDeparture();
  }

  /** A writer has ended, or a job has let go. */
  noteDeparture(): void {
    this.departures++;
    this.news.sound();
  }

  /**
   * Tries until there is room, or no hope of it.
   * @param attempt throws NoRoomError when there is none
   * @throws the last NoRoomError; the signal's reason
   */
  async enter<T>({ jobId }: NewObject, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    let confirmed = false;
    for (;;) {
      const { departures } = this;
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        // Who merely reads must not be made to wait.
        if (!(error instanceof NoRoomError) || error.refusal === undefined || jobId === undefined) throw error;
        const { missingBytes, promisedBytes, keptFor } = error.refusal;
        if (keptFor.length > 0 && !confirmed) {
          confirmed = true;
          await this.keeps.confirm();
        }
        if (this.departures !== departures) continue;
        if (missingBytes > promisedBytes || !(await this.nextDeparture(deadlineMs, signal))) throw error;
      }
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    this.closed = true;
    this.noteDeparture();
  }

  private async nextDeparture(deadlineMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { departures } = this;
    const isOver = () => this.closed || this.departures !== departures || undefined;
    return (await this.news.until(isOver, deadlineMs - performance.now(), signal)) === true && !this.closed;
  }
}
