import { setImmediate as nextTurn } from 'node:timers/promises';

const sliceMs = 10;

/** For work of unknown length on the event loop: after 10 ms other tasks get a turn. */
export class TimeSlice {
  private sinceMs = performance.now();

  get isOver(): boolean {
    return performance.now() - this.sinceMs > sliceMs;
  }

  async letOthersIn(): Promise<void> {
    await nextTurn();
    this.sinceMs = performance.now();
  }
}
