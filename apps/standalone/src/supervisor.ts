import { EXIT_REFUSED, type PidFiles } from '#process';
import { type Backoff, restartBackoff } from './backoff.js';
import { ProcessLog } from './process-log.js';
import { type Death, type ProcessSpec, SupervisedProcess } from './supervised-process.js';

export interface SupervisorOptions {
  readonly pidFiles: PidFiles;
  readonly logsDir: string;
  /** Writes a line to the console. */
  readonly say: (line: string) => void;
  readonly backoff?: Backoff;
  /** The start fails after this many deaths in a row before the cluster was ready for the first time. Default 5. */
  readonly maxEarlyDeaths?: number;
}

/** Processes that are stopped together. `deadlineMs` counts from the beginning of the whole stop. */
export interface StopStage {
  readonly names: readonly string[];
  readonly deadlineMs: number;
}

/** Starts processes, restarts those that die, and stops them in order. */
export class Supervisor {
  /** Resolves with one sentence when a process refuses to run or cannot be started. */
  readonly givenUp: Promise<string>;
  private giveUp!: (reason: string) => void;
  private readonly processes = new Map<string, SupervisedProcess>();
  private ready = false;

  constructor(private readonly options: SupervisorOptions) {
    this.givenUp = new Promise((resolve) => (this.giveUp = resolve));
  }

  start(spec: ProcessSpec): SupervisedProcess {
    const { pidFiles, say, logsDir, backoff = restartBackoff } = this.options;
    const log = new ProcessLog(logsDir, spec.name, say);
    const started = new SupervisedProcess(spec, log, {
      pidFiles,
      say,
      backoff,
      restart: (death) => this.mayRestart(death, log.file),
    });
    this.processes.set(spec.name, started);
    return started;
  }

  /** From now on, a process is restarted after every death, however many there are. */
  markReady(): void {
    this.ready = true;
  }

  /** Restarts a process whose code has changed. A process that was not started yet will start with the new code. */
  async restart(name: string, deadlineMs: number): Promise<void> {
    await this.processes.get(name)?.restart(deadlineMs);
  }

  /** Stops stage after stage. Kills processes that still run at the deadline of their stage. */
  async stop(stages: readonly StopStage[]): Promise<void> {
    const startedAt = performance.now();
    for (const { names, deadlineMs } of stages) {
      const processes = names.flatMap((name) => this.processes.get(name) ?? []);
      const kill = () => processes.forEach((one) => one.kill());
      const timer = setTimeout(kill, Math.max(0, deadlineMs - (performance.now() - startedAt)));
      await Promise.all(processes.map((one) => one.stop()));
      clearTimeout(timer);
    }
  }

  killAll(): void {
    for (const one of this.processes.values()) one.kill();
  }

  private mayRestart({ name, code, deathsInARow, errors }: Death, logFile: string): boolean {
    if (code === EXIT_REFUSED) {
      const refusal = `${name} refuses to run: ${errors.join(' ') || `its output is in ${logFile}.`}`;
      if (this.ready && this.processes.get(name)?.spec.mendable) {
        this.options.say(`${refusal} It is started again when its code has changed.`);
      } else this.giveUp(refusal);
      return false;
    }
    if (!this.ready && deathsInARow >= (this.options.maxEarlyDeaths ?? 5)) {
      const last = errors.at(-1);
      this.giveUp(`${name} cannot be brought up${last ? ` (${last})` : ''}: its output is in ${logFile}.`);
      return false;
    }
    return true;
  }
}
