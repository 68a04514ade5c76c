import { closeSync, openSync, writeSync } from 'node:fs';

/** A call to the REST API, as its client saw it. Times are milliseconds of `performance.now()`. */
export interface Call {
  readonly client: number;
  /** Which coordinator was asked. */
  readonly coordinator: number;
  /** Sent as `X-Request-Id`: the log tells by it what the call has done. */
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/api/v1`, with the query. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Undefined: no answer arrived, and whether it was carried out is unknown. */
  readonly answer?: Answer;
  /** Why no answer arrived. */
  readonly lost?: string;
}

export interface Answer {
  readonly status: number;
  /** `X-Larder-Sequence`; undefined where there was none. */
  readonly sequence?: number;
  /** Whether it carried `X-Larder-Stale`. */
  readonly stale: boolean;
  readonly body: unknown;
}

/** Something that was done to the system, from its beginning to its mending. */
export interface Fault {
  readonly kind: string;
  /** `coordinator-2`, `nats-0`, `s3` … */
  readonly victims: readonly string[];
  readonly startMs: number;
  /** Undefined while it lasts. */
  endMs?: number;
}

/** Everything that was seen from outside, in the order in which it ended; kept as JSON Lines too. */
export class History {
  readonly calls: Call[] = [];
  readonly faults: Fault[] = [];
  /** Processes that ended by themselves, and what else nobody asked for. */
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
