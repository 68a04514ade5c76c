import type { WorkerHeartbeat } from '#contexts/membership';

/** Extra heartbeats are at least so far apart: many changes in a row are told together. */
const apartMs = 20;
/** The least pause between extra heartbeats, in multiples of the time that making one takes. It names all quotas. */
const apartTimes = 10;

/** Sends a heartbeat at once, then one every `intervalMs`, and a last one that announces the end. */
export class Heartbeat {
  private readonly timer: NodeJS.Timeout;
  /** Runs for a while after an extra heartbeat. */
  private pausing: NodeJS.Timeout | undefined;
  private isDue = false;

  /**
   * @param now the worker as it is at this moment
   * @param send must not throw; a heartbeat that cannot be sent is dropped
   */
  constructor(
    intervalMs: number,
    private readonly now: () => WorkerHeartbeat,
    private readonly send: (heartbeat: WorkerHeartbeat) => void,
  ) {
    this.send(this.now());
    this.timer = setInterval(() => this.send(this.now()), intervalMs);
  }

  /** Sends an extra heartbeat, for urgent news: at once, or soon after the last extra one. */
  beat(): void {
    this.isDue = true;
    if (this.pausing === undefined) this.sendDue();
  }

  leave(): void {
    clearInterval(this.timer);
    clearTimeout(this.pausing);
    this.send({ ...this.now(), leaving: true });
  }

  private sendDue(): void {
    this.pausing = undefined;
    if (!this.isDue) return;
    this.isDue = false;
    const begunMs = performance.now();
    this.send(this.now());
    const tookMs = performance.now() - begunMs;
    this.pausing = setTimeout(() => this.sendDue(), Math.max(apartMs, apartTimes * tookMs));
  }
}
