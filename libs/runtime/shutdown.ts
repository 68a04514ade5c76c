/**
 * The end of a coordinator, in two steps. `draining`: a signal has come. Balancers learn of it, jobs are left to other
 * coordinators, and requests are still served. `closing`: requests that wait on purpose (a submission that waits for
 * its job, a stream of events) are answered now.
 */
export class Shutdown {
  private readonly drainer = new AbortController();
  private readonly closer = new AbortController();

  readonly draining: AbortSignal = this.drainer.signal;
  readonly closing: AbortSignal = this.closer.signal;

  drain(): void {
    this.drainer.abort();
  }

  close(): void {
    this.drain();
    this.closer.abort();
  }
}
