import { pause } from '../pause.js';
import { UfsError, type Blame } from '../types.js';
import type { Canary, Passage } from './circuit-breaker.types.js';
import { LoneRefusals } from './lone-refusals.js';
import { pauseMs, type OutagePolicy, type StoreOutage } from './outage-policy.js';
import { PathFailures } from './path-failures.js';
import { StoreWaiting, type WaitOptions, type WaitOutcome } from './store-waiting.js';
import { WaitQueue } from './wait-queue.js';

/** This many objects that fail one after the other, without a success between, are an outage. */
const objectsOfAnOutage = 3;
/** A waiter that was let through and sends no request within this time loses its place. */
const ticketMs = 2_000;
/** So many at once are no limit. */
const openLimit = 64;

/**
 * A circuit breaker (M. Nygard, "Release It!", 2007) for one verb of one mount, shared by all requests. It opens when
 * the store asks to slow down or cannot be reached, and when several objects fail without a success between. While it
 * is open, all requests wait. A few refusals among many successes do not open it; only those wait. After a pause (the
 * store's Retry-After, else exponential with jitter) one request probes. When that succeeds, each success lets more in:
 * doubled per round up to half of what was too much, then one more (slow start, congestion avoidance, RFC 5681).
 */
export class CircuitBreaker {
  private isOpen = false;
  private closedBy: UfsError | undefined;
  private epoch = 0;
  /** Of this epoch. */
  private inFlight = 0;
  /** Waiters that were let through and have not entered yet. */
  private tickets = 0;
  private limit = Infinity;
  private threshold = Infinity;
  /** Pauses of this outage so far. */
  private level = 0;
  private restUntilMs = 0;
  private outage: { atMs: number; sinceMs: number } | undefined;
  private lastFault: UfsError | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ticketTimer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private readonly failures = new PathFailures();
  private readonly refusals = new LoneRefusals();
  private readonly waiters = new WaitQueue();
  private readonly doubters = new WaitQueue();

  /**
   * @param ufs root of the mount, for people
   * @param graceMs how long an object must have failed, by blame, before it may be at fault itself
   */
  constructor(
    private readonly ufs: string,
    private readonly policy: OutagePolicy,
    private readonly canary: Canary,
    private readonly graceMs: Readonly<Record<Blame, number>> = { store: 0, unclear: 0 },
  ) {}

  /** Undefined: not now. @throws UfsError when the mount is gone */
  enter(): Passage | undefined {
    if (this.closedBy) throw this.closedBy;
    if (this.tickets > 0) this.tickets--;
    else if (this.isOpen ? !this.isProbeDue() : this.inFlight >= Math.floor(this.limit)) return undefined;
    this.inFlight++;
    return { epoch: this.epoch };
  }

  /** The error for a request that may not enter. */
  heldBack(path: string): StoreWaiting {
    const fault = this.lastFault ?? new UfsError('Throttled', path, `The store is busy: ${this.ufs}.`);
    return this.waiting(fault, path, false, (options) => this.wait(path, options, false));
  }

  succeeded(passage: Passage, path: string): void {
    this.failures.forget(path);
    this.answered(passage);
  }

  /** @returns the error for the caller: `error` itself when it is the object's own */
  failed(passage: Passage, path: string, error: UfsError): UfsError {
    if (error.code === 'Aborted') {
      this.leave(passage);
      this.grant();
      return error;
    }
    // The store answered, even if it refused this request.
    if (error.blame === undefined) {
      this.answered(passage);
      return error;
    }
    this.leave(passage);
    const isCurrent = passage.epoch === this.epoch;
    if (error.blame === 'store') this.refusals.noteRefusal();
    const isOutage = error.blame === 'store' || (this.isOpen && this.failures.objects >= objectsOfAnOutage);
    const { successesBetween, objects, failingMs } = this.failures.add(path, error.blame);
    const isEarly = failingMs < this.graceMs[error.blame];
    // Other objects succeed and this one fails again and again: so the object is at fault, whatever the store blames.
    if (!isEarly && successesBetween >= (error.blame === 'store' ? 2 : 1)) {
      if (isCurrent && this.isOpen) this.rest(error);
      this.grant();
      return error;
    }
    if (!this.isOpen && this.refusals.isLone(error)) {
      this.grant();
      return this.waiting(error, path, true, (options) => this.restAlone(path, options));
    }
    if (isOutage || isEarly || objects >= objectsOfAnOutage || (isCurrent && this.isOpen)) {
      if (isCurrent) this.open(error);
      else if (this.isOpen) this.extend(error);
      return this.waiting(error, path, true, (options) => this.wait(path, options, true));
    }
    return this.waiting(error, path, true, (options) => this.doubt(path, options));
  }

  /** Undefined while all is well. */
  status(): StoreOutage | undefined {
    if (!this.outage || !this.lastFault) return undefined;
    return { ufs: this.ufs, sinceMs: this.outage.sinceMs, reason: this.lastFault.message };
  }

  /** Lets all waiters try again at once: the mount has other options now. */
  supersede(): void {
    for (const queue of [this.waiters, this.doubters]) queue.releaseAll('again');
  }

  /** The mount is gone: fails all waiters and every later request. */
  close(error: UfsError): void {
    this.closedBy = error;
    clearTimeout(this.timer);
    clearTimeout(this.ticketTimer);
    for (const queue of [this.waiters, this.doubters]) queue.rejectAll(error);
  }

  private async wait(path: string, options: WaitOptions, wasSent: boolean): Promise<WaitOutcome> {
    if (this.closedBy) throw this.closedBy;
    if (wasSent && this.isHopeless()) return 'hopeless';
    const mayEnter = this.isOpen ? this.isProbeDue() : this.inFlight + this.tickets < Math.floor(this.limit);
    return mayEnter ? 'again' : this.waiters.join(path, options);
  }

  /** The store refused this request and serves the others. */
  private async restAlone(path: string, options: WaitOptions): Promise<WaitOutcome> {
    await pause(this.pauseMs(undefined), path, options.signal);
    return this.isOpen || this.closedBy ? this.wait(path, options, true) : 'again';
  }

  /** One object failed, and the fault may be the store's. An object that it has given before shows which. */
  private doubt(path: string, options: WaitOptions): Promise<WaitOutcome> {
    if (this.isOpen || this.closedBy) return this.wait(path, options, true);
    const doubt = this.doubters.join(path, options);
    if (!this.isLooking) void this.lookAround();
    return doubt;
  }

  private async lookAround(): Promise<void> {
    this.isLooking = true;
    const error = await this.fault();
    this.isLooking = false;
    if (this.closedBy) return;
    if (error === undefined) {
      if (this.canary.speaksForVerb()) this.failures.noteSuccess();
      this.doubters.releaseAll('counts');
    } else {
      if (!this.isOpen) this.open(error);
      this.doubters.releaseAll('again');
    }
  }

  /** Undefined: the store is well. */
  private fault(): Promise<UfsError | undefined> {
    return this.canary.ask().then(
      () => undefined,
      (error: unknown) => (error instanceof UfsError && error.blame !== undefined ? error : undefined),
    );
  }

  private open(error: UfsError): void {
    this.refusals.forget();
    if (this.isOpen) this.level++;
    else this.threshold = Math.max(1, Math.floor((this.inFlight + 1) / 2));
    this.isOpen = true;
    this.outage ??= { atMs: performance.now(), sinceMs: Date.now() };
    this.rest(error);
    if (this.isHopeless()) this.waiters.releaseAll('hopeless');
  }

  private rest(error: UfsError): void {
    this.epoch++;
    this.inFlight = this.tickets = this.limit = 0;
    this.lastFault = error;
    this.restUntilMs = performance.now() + this.pauseMs(error.retryAfterMs);
    this.setTimer();
  }

  /** For requests that were running when it opened: their answers extend the pause. */
  private extend(error: UfsError): void {
    if (error.retryAfterMs === undefined) return;
    this.restUntilMs = Math.max(this.restUntilMs, performance.now() + this.pauseMs(error.retryAfterMs));
    this.setTimer();
  }

  private pauseMs(retryAfterMs: number | undefined): number {
    return pauseMs(this.policy, { level: this.level, isHopeless: this.isHopeless(), retryAfterMs });
  }

  private setTimer(): void {
    clearTimeout(this.timer);
    const nowMs = performance.now();
    const restMs = this.restUntilMs - nowMs;
    const hopelessMs = (this.outage?.atMs ?? nowMs) + this.policy.maxOutageMs - nowMs;
    const nextMs = hopelessMs > 0 && hopelessMs < restMs ? hopelessMs : restMs;
    this.timer = setTimeout(() => this.due(), Math.max(0, Math.ceil(nextMs))).unref();
  }

  private due(): void {
    if (this.closedBy || !this.isOpen) return;
    if (this.isHopeless()) this.waiters.releaseAll('hopeless');
    if (performance.now() < this.restUntilMs) return this.setTimer();
    if (this.inFlight > 0) return;
    // A failed probe may be at fault itself: the next one requests something that was given before.
    const isSuspect = this.level % 2 === 1 || this.failures.anySuspect;
    if (isSuspect && this.canary.speaksForVerb()) return void this.probe();
    this.tickets = 1;
    if (this.waiters.release()) this.expireTickets();
    else this.tickets = 0;
  }

  private async probe(): Promise<void> {
    const { epoch } = this;
    this.inFlight++;
    const error = await this.fault();
    if (this.closedBy || this.epoch !== epoch || !this.isOpen) return;
    this.inFlight--;
    if (error) return this.open(error);
    this.failures.noteSuccess();
    this.recover();
  }

  private answered(passage: Passage): void {
    this.leave(passage);
    this.failures.noteSuccess();
    this.refusals.noteSuccess();
    // Sent before the store asked for a pause: the pause still holds.
    if (passage.epoch !== this.epoch) return;
    if (this.isOpen) return this.recover();
    if (this.limit < openLimit) this.limit += this.limit < this.threshold ? 1 : 1 / this.limit;
    if (this.limit >= openLimit) this.limit = Infinity;
    this.grant();
  }

  private recover(): void {
    clearTimeout(this.timer);
    this.isOpen = false;
    this.outage = undefined;
    this.level = 0;
    this.limit = 1;
    this.grant();
  }

  private grant(): void {
    if (this.isOpen) return;
    if (this.limit === Infinity) return this.waiters.releaseAll('again');
    while (this.inFlight + this.tickets < Math.floor(this.limit) && this.waiters.size > 0) {
      this.tickets++;
      this.waiters.release();
    }
    if (this.tickets > 0) this.expireTickets();
  }

  private expireTickets(): void {
    clearTimeout(this.ticketTimer);
    this.ticketTimer = setTimeout(() => {
      this.tickets = 0;
      if (this.isOpen) this.due();
      else this.grant();
    }, ticketMs).unref();
  }

  private leave({ epoch }: Passage): void {
    if (epoch === this.epoch) this.inFlight--;
  }

  private isProbeDue(): boolean {
    return performance.now() >= this.restUntilMs && this.inFlight === 0 && this.tickets === 0;
  }

  private isHopeless(): boolean {
    return this.outage !== undefined && performance.now() - this.outage.atMs >= this.policy.maxOutageMs;
  }

  private waiting(
    fault: UfsError,
    path: string,
    wasSent: boolean,
    wait: (options: WaitOptions) => Promise<WaitOutcome>,
  ): StoreWaiting {
    const outage = this.status() ?? { ufs: this.ufs, sinceMs: Date.now(), reason: fault.message };
    const restMs = Math.max(0, Math.ceil(this.restUntilMs - performance.now()));
    return new StoreWaiting(fault, path, wasSent, outage, this.policy.maxOutageMs, restMs, wait);
  }
}
