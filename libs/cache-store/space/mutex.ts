/** Runs tasks one at a time, in the order they were handed in. A task that fails does not stop the next. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  /** Rejects once the mutex is closed. */
  run<T>(task: () => Promise<T>): Promise<T> {
    if (this.closed) return Promise.reject(new Error('The cache store is closed'));
    const result = this.tail.then(task);
    // The caller sees the failure through `result`; here it only has to stop blocking the queue.
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Runs a last task after all others. */
  close<T>(task: () => Promise<T>): Promise<T> {
    const result = this.run(task);
    this.closed = true;
    return result;
  }
}
