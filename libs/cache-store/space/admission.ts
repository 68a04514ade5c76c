import { Bell } from '#async';
import { type JobKeeps } from './job-keeps.js';
import { NoRoomError, type NewObject } from '../types.js';

/**
 * How long an object of a job waits for room that running writers may give back. It keeps a transfer slot meanwhile,
 * and most of those writers succeed.
 */
const PATIENCE_MS = 10_000;

/**
 * Decides about an object for which there is no room. Much of a full cache may be promised to writers that will fail,
 * and kept for a job that has just ended. A file fails only when neither can help.
 */
export class Admission {
  private readonly news = new Bell();
  private departures = 0;
  private closed = false;

  constructor(private readonly keeps: JobKeeps) {
    keeps.onLetGo = () => this.noteDeparture();
  }

  /** Call this when a writer has ended, or a job's keeps were released. */
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
        // A mere reader must not wait.
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

  /** Ends all waits. */
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
