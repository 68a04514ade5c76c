import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { endChild } from '#process';
import { eventually } from './until.js';

export interface ProcessSpec {
  readonly name: string;
  /** Path of the JavaScript file that node runs. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The Node that runs it. Default: the one that runs the tests. */
  readonly node?: string;
  /** Gets standard output and standard error of all its lives, one after another. */
  readonly logFile: string;
  /** Whether this life of the process is ready to be used; polled. */
  readonly isReady: (self: ManagedProcess) => Promise<boolean> | boolean;
  /** Default: a minute. */
  readonly startWithinMs?: number;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const startTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const passedOn = ['PATH', 'HOME', 'TMPDIR', 'LANG'];

/** A real process of the system under test, which a test can kill, pause and bring back. */
export class ManagedProcess {
  private child: ChildProcess | undefined;
  private ended: Promise<ExitStatus> | undefined;
  private logStart = 0;
  private endIsWanted = false;
  /** Settings of its next lives, in addition to those it was made with; undefined removes one. */
  readonly overrides: Record<string, string | undefined> = {};
  /** A command that `exec`s its further arguments, which are node's command line in the next lives. */
  wrapper: readonly string[] = [];
  /** Called when it ends unasked. */
  onCrash: ((error: Error) => void) | undefined;

  constructor(readonly spec: ProcessSpec) {}

  get name(): string {
    return this.spec.name;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.running ? this.child?.pid : undefined;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Settles when this life of the process is over, for any reason. */
  get exited(): Promise<ExitStatus> {
    if (this.ended === undefined) throw new Error(`${this.name} was never started`);
    return this.ended;
  }

  /** Starts it and waits until it is ready. @throws Error with the end of its log */
  async start(): Promise<void> {
    this.launch();
    await this.untilReady();
  }

  /** Starts it without waiting. */
  launch(): void {
    if (this.running) throw new Error(`${this.name} runs already`);
    const { script, args = [], env, logFile, node = process.execPath } = this.spec;
    this.logStart = existsSync(logFile) ? statSync(logFile).size : 0;
    const log = openSync(logFile, 'a', 0o600);
    const inherited = Object.fromEntries(passedOn.map((name) => [name, process.env[name]]));
    // With the IPC channel and the setting for it, the process ends by itself when the test run is killed.
    const [command, ...rest] = [...this.wrapper, node, script, ...args];
    const child = spawn(command, rest, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...inherited, LARDER_SUPERVISED: '1', ...env, ...this.overrides },
    });
    closeSync(log);
    this.child = child;
    this.endIsWanted = false;
    this.ended = new Promise((settle) => {
      child.once('exit', (code, signal) => {
        settle({ code, signal });
        if (this.endIsWanted) return;
        this.onCrash?.(new Error(`${this.name} ended by itself (${signal ?? `code ${code}`})`));
      });
      child.once('error', () => settle({ code: null, signal: null }));
    });
  }

  async untilReady(): Promise<void> {
    try {
      await eventually(
        `${this.name} is ready`,
        async () => {
          if (!this.running) throw new Error(`${this.name} ended while it started`);
          return (await this.spec.isReady(this)) || undefined;
        },
        { timeoutMs: this.spec.startWithinMs ?? startTimeoutMs },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.logTail()}`, { cause: error });
    }
  }

  /** SIGKILL, and waits until it is gone. */
  async kill9(): Promise<void> {
    if (!this.running) return;
    this.endIsWanted = true;
    this.child?.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM, and waits until it is gone. @throws Error when that takes too long, after killing it */
  async stop(): Promise<ExitStatus> {
    if (!this.running) return this.exited;
    this.endIsWanted = true;
    // Another part of the test may kill it meanwhile. That is no error of the process.
    const late = await endChild(this.child!, this.exited, stopTimeoutMs);
    if (late) throw new Error(`${this.name} did not stop in time\n${this.logTail()}`);
    return this.exited;
  }

  /** Ends it if it still runs (SIGKILL), starts it again and waits until it is ready. */
  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  /** SIGSTOP: it keeps its connections and does nothing. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** The output of this life of the process. */
  log(): string {
    const { logFile } = this.spec;
    return existsSync(logFile) ? readFileSync(logFile).subarray(this.logStart).toString() : '';
  }

  logTail(lines = 40): string {
    return tailOf(this.name, this.log(), lines);
  }
}

/** The end of a log, below a line that says whose it is. */
export function tailOf(name: string, log: string, lines: number): string {
  return `--- ${name}\n${log.trimEnd().split('\n').slice(-lines).join('\n')}`;
}
