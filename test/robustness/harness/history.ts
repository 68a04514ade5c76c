import { closeSync, openSync, writeSync } from 'node:fs';

/** A call to the REST API, as its client saw it. Times are milliseconds from `performance.now()`. */
export interface Call {
  readonly client: number;
  /** Index of the coordinator. */
  readonly coordinator: number;
  /** Sent as `X-Request-Id`. The log carries it on the commits of the call. */
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path below `/api/v1`, with the query. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Undefined if no answer arrived. The call may have been carried out or not. */
  readonly answer?: Answer;
  /** Why no answer arrived. */
  readonly lost?: string;
}

export interface Answer {
  readonly status: number;
  /** `X-Larder-Sequence`. Undefined without that header. */
  readonly sequence?: number;
  /** Whether it carried `X-Larder-Stale`. */
  readonly stale: boolean;
  readonly body: unknown;
}

/** A fault of the system, from its beginning to its end. */
export interface Fault {
  readonly kind: string;
  /** `coordinator-2`, `nats-0`, `s3` … */
  readonly victims: readonly string[];
  readonly startMs: number;
  /** Undefined while it lasts. */
  endMs?: number;
}

/** All observations from outside, in the order of their ends. They are also written as JSON Lines. */
export class History {
  readonly calls: Call[] = [];
  readonly faults: Fault[] = [];
  /** Processes that ended by themselves, and other unexpected incidents. */
  readonly accidents: string[] = [];
  private readonly file: number;

  constructor(file: string) {
    this.file = openSync(file, 'a');
  }

  add(call: Call): void {
    this.calls.push(call);
    this.write({ call });
  }

  begin(kind: string, victims: readonly string[]): Fault {
    const fault: Fault = { kind, victims, startMs: performance.now() };
    this.faults.push(fault);
    this.write({ fault });
    return fault;
  }

  end(fault: Fault): void {
    fault.endMs = performance.now();
    this.write({ ended: fault });
  }

  accident(what: string): void {
    this.accidents.push(what);
    this.write({ accident: what, atMs: performance.now() });
  }

  close(): void {
    closeSync(this.file);
  }

  private write(entry: unknown): void {
    writeSync(this.file, `${JSON.stringify(entry)}\n`);
  }
}
