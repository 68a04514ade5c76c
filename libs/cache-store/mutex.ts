/** Runs tasks one at a time, in the order they were handed in. A task that fails does not stop the next. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task);
    // The caller sees the failure through `result`; here it only has to stop blocking the queue.
    this.tail = result.catch(() => undefined);
    return result;
  }
}
