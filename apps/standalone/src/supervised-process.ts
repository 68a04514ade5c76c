import { type ChildProcess, spawn } from 'node:child_process';
import readline from 'node:readline';
import { SUPERVISED } from '#config';
import { EXIT_REFUSED, type PidFiles } from '#process';
import { type Backoff, restartDelayMs } from './backoff.js';
import type { ProcessLog } from './process-log.js';

export interface ProcessSpec {
  /** Unique in the cluster: `worker-1`. */
  readonly name: string;
  /** A script, run by the Node of this process. */
  readonly script: string;
  /** A path in the data directory, shown in the command line. By it, processes of different clusters are told apart. */
  readonly marker: string;
  /** Called at each start. */
  env(): Readonly<Record<string, string | undefined>>;
  /** Called with each message of the process over IPC. */
  onMessage?(message: unknown): void;
  /** Once the cluster was ready: if this process refuses to run, it waits for `restart` after a change of the code. */
  readonly mendable?: boolean;
  /** Runs before each restart, to clean up after a killed process. */
  beforeRestart?(): Promise<void>;
}

export interface Death {
  readonly name: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Deaths in a row, without a healthy run between them. */
  readonly deathsInARow: number;
  /** The errors that it wrote before it died. */
  readonly errors: readonly string[];
}

export interface SupervisionOptions {
  readonly pidFiles: PidFiles;
  readonly backoff: Backoff;
  readonly say: (line: string) => void;
  /** Called at each unexpected death. @returns whether to start the process again */
  readonly restart: (death: Death) => boolean;
}

/** Keeps one child process running until `stop` is called. */
export class SupervisedProcess {
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private pendingRestart: NodeJS.Timeout | undefined;
  private stopping = false;
  private restarting = false;
  private deathsInARow = 0;

  constructor(
    readonly spec: ProcessSpec,
    private readonly log: ProcessLog,
    private readonly options: SupervisionOptions,
  ) {
    this.launch();
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Asks the process to end. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.pendingRestart);
    this.child?.kill('SIGTERM');
    await this.exited;
    this.log.close();
  }

  /**
   * Asks the process to end, and starts it again when it has ended. A process that has already ended starts at once.
   * @param deadlineMs time after which the process is killed
   */
  async restart(deadlineMs: number): Promise<void> {
    this.restarting = true;
    clearTimeout(this.pendingRestart);
    this.child?.kill('SIGTERM');
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), deadlineMs);
    await this.exited;
    clearTimeout(timer);
    this.restarting = false;
    this.deathsInARow = 0;
    await this.relaunch();
  }

  kill(): void {
    this.stopping = true;
    this.child?.kill('SIGKILL');
  }

  private launch(): void {
    const { name, script, marker } = this.spec;
    const startedAt = performance.now();
    const child = spawn(process.execPath, [script, `--supervised=${marker}`], {
      env: { ...this.spec.env(), [SUPERVISED]: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Ctrl-C in a terminal goes to the whole process group. But the supervisor must stop the children in order.
      detached: true,
    });
    this.child = child;
    if (child.pid !== undefined) this.options.pidFiles.record(name, child.pid, marker);
    for (const stream of ['stdout', 'stderr'] as const) {
      readline.createInterface({ input: child[stream]! }).on('line', (line) => this.log.write(stream, line));
    }
    child.on('message', (message) => this.spec.onMessage?.(message));
    this.exited = new Promise((resolve) => {
      // 'close' comes after the last line of output; 'exit' may come before it.
      child.once('close', (code, signal) => {
        this.onExit({ code, signal, livedMs: performance.now() - startedAt });
        resolve();
      });
      child.once('error', (error) => this.log.write('stderr', error.message));
    });
  }

  private onExit({ code, signal, livedMs }: Pick<Death, 'code' | 'signal'> & { livedMs: number }): void {
    const { name } = this.spec;
    this.child = undefined;
    this.options.pidFiles.forget(name);
    if (this.stopping || this.restarting) return;
    this.deathsInARow = livedMs >= this.options.backoff.healthyAfterMs ? 1 : this.deathsInARow + 1;
    const { deathsInARow } = this;
    const again = this.options.restart({ name, code, signal, deathsInARow, errors: this.log.takeErrors() });
    if (!again || code === EXIT_REFUSED) return;
    const delayMs = restartDelayMs(deathsInARow, this.options.backoff);
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
    this.options.say(`${name} ${how}; starting it again in ${delayMs} ms (its output: ${this.log.file}).`);
    this.pendingRestart = setTimeout(() => void this.relaunch(), delayMs);
  }

  private async relaunch(): Promise<void> {
    await this.spec.beforeRestart?.();
    if (!this.stopping && !this.child) this.launch();
  }
}
