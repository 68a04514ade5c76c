/**
 * The end of a coordinator, in two steps that others listen to. `draining`: a signal has come; balancers are told, jobs
 * are left to others, requests are still served. `closing`: whoever answers late on purpose (a submission that waits
 * for its job, a stream of events) answers now.
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
