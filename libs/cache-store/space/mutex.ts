import { Semaphore } from '#async';

/** Runs tasks one at a time, in the order they were handed in. A task that fails does not stop the next. */
export class Mutex {
  private readonly turns = new Semaphore(1);
  private closed = false;

  /** Rejects once the mutex is closed. */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new Error('The cache store is closed'));
    return this.turns.run(task);
  }

  /** Runs a last task after all others. */
  close<T>(task: () => Promise<T>): Promise<T> {
    const result = this.run(task);
    this.closed = true;
    return result;
  }
}
