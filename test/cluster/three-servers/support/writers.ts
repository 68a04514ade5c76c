import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient } from '#testing';

export interface Write {
  readonly path: string;
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  readonly status: number;
  readonly body: unknown;
}

/** Pause between a client's answer and its next write: short beside a pause of the log, and it leaves CPU to the cluster. */
const pauseMs = 20;

/** Clients that mount one path after another, each path once, and record every answer. */
export class Writers {
  readonly writes: Write[] = [];
  private stopped = false;
  private readonly running: Promise<void>[];

  /** @param ufsRoot URL of a directory. Each mount is of a name below it */
  constructor(api: ApiClient, ufsRoot: string, count: number) {
    this.running = Array.from({ length: count }, (_, index) => this.run(api, ufsRoot, index));
  }

  get acknowledged(): Write[] {
    return this.writes.filter(({ status }) => status === 200);
  }

  /** The acknowledged writes that were sent after a time of `performance.now()`. */
  acknowledgedSince(ms: number): Write[] {
    return this.acknowledged.filter(({ sentAtMs }) => sentAtMs >= ms);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running);
  }

  private async run(api: ApiClient, ufsRoot: string, index: number): Promise<void> {
    for (let i = 0; !this.stopped; i++) {
      const path = `/written-${index}-${i}`;
      const sentAtMs = performance.now();
      const { status, body } = await api.request('POST', '/mount', {
        body: { path, ufs: `${ufsRoot}${path.slice(1)}` },
      });
      this.writes.push({ path, sentAtMs, answeredAtMs: performance.now(), status, body });
      await sleep(pauseMs);
    }
  }
}
