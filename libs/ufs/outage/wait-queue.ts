import { offAbort, onAbort } from '#async';
import { UfsError } from '../types.js';
import type { WaitOptions, WaitOutcome } from './store-waiting.js';

interface Waiter {
  resolve(outcome: WaitOutcome): void;
  reject(error: UfsError): void;
}

/** Requests that wait for a store, in order of arrival. Requests of readers go before prefetching. */
export class WaitQueue {
  private readonly demanded = new Set<Waiter>();
  private readonly others = new Set<Waiter>();

  get size(): number {
    return this.demanded.size + this.others.size;
  }

  join(path: string, { signal, demand = false }: WaitOptions): Promise<WaitOutcome> {
    const queue = demand ? this.demanded : this.others;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.delete(waiter);
        if (signal) offAbort(signal, aborted);
      };
      const aborted = (): void => waiter.reject(new UfsError('Aborted', path, `Aborted: ${path}.`));
      const waiter: Waiter = {
        resolve: (outcome) => (leave(), resolve(outcome)),
        reject: (error) => (leave(), reject(error)),
      };
      if (signal?.aborted) return aborted();
      if (signal) onAbort(signal, aborted);
      queue.add(waiter);
    });
  }

  /** Lets the first waiter go on. False: there is none. */
  release(): boolean {
    const [first] = this.demanded.size > 0 ? this.demanded : this.others;
    first?.resolve('again');
    return first !== undefined;
  }

  releaseAll(outcome: WaitOutcome): void {
    for (const waiter of [...this.demanded, ...this.others]) waiter.resolve(outcome);
  }

  rejectAll(error: UfsError): void {
    for (const waiter of [...this.demanded, ...this.others]) waiter.reject(error);
  }
}
