import type { WorkerHeartbeat } from '#contexts/membership';

/** Sends a heartbeat at once, then one every `intervalMs`, and a last one that announces the end. */
export class Heartbeat {
  private readonly timer: NodeJS.Timeout;

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

  /** Sends an extra heartbeat, for urgent news. */
  beat(): void {
    this.send(this.now());
  }

  leave(): void {
    clearInterval(this.timer);
    this.send({ ...this.now(), leaving: true });
  }
}
