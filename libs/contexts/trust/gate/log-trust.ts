import { checkpointBoundary } from '#contexts/log';
import { type DecodedCommit, type EventCodec, type EventStore, type Judge, type StoredCommit } from '#jetstream';
import { type QuarantineReport } from '../index.js';
import { type Coverage } from './covered-log.js';
import { LogGate, type LogGateOptions, type StoredGate } from './log-gate.js';
import { type TrustRing } from './signing-keys.js';

export interface LogTrustOptions {
  readonly codec: EventCodec;
  readonly ring: TrustRing;
  readonly isOwn?: (digest: string) => boolean;
}

/**
 * Judges single messages, and boundaries from their beginning, by a gate that has seen some of the log or none.
 * @param isInPlace asked of each single commit that is rightly signed: a replay is, too
 */
export function judgeBy(gate: LogGate, isInPlace: (commit: DecodedCommit) => Promise<boolean>): Judge {
  return {
    admit: async (message) => {
      const commit = gate.check(message);
      return commit && (await isInPlace(commit)) ? commit : undefined;
    },
    inOrder: () => {
      const fork = gate.fork();
      return (message) =>
        settled(() => {
          const judged = fork.admit(message);
          return 'commit' in judged ? judged.commit : undefined;
        });
    },
  };
}

/**
 * A coordinator's judgement of the log: the gate that its views are folded behind decides, and everything else that
 * reads the log asks what that one has decided.
 */
export class LogTrust {
  private current: LogGate;
  private coverage: Coverage | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly options: LogTrustOptions,
  ) {
    this.current = new LogGate(this.gateOptions());
    // Until the views are there: signatures by themselves, and the log's own boundary from its beginning.
    store.judge = judgeBy(this.current, (commit) => store.isInPlace(commit));
  }

  get ring(): TrustRing {
    return this.options.ring;
  }

  /** The gate of the views. */
  get gate(): LogGate {
    return this.current;
  }

  report(): QuarantineReport {
    return this.current.quarantine.report();
  }

  /** Looks for the newest checkpoint that stands for what came before it. @throws DomainError Unavailable */
  async prepare(): Promise<void> {
    // One that stands for others is signed. This gate has not read yet from when on signatures are owed.
    // A checkpoint says the truth wherever it stands: one that is sent again covers less, and nothing wrongly.
    const anywhere = judgeBy(this.current.fork(0), () => Promise.resolve(true));
    const last = await this.store.lastOf(checkpointBoundary.name, anywhere);
    for (const { data } of last?.commit ? checkpointBoundary.eventsIn(last.commit) : []) {
      const { throughSequence, root, void: voided } = data;
      if (voided) this.coverage = { throughSequence, root, void: voided };
    }
  }

  /** The gate for folding the views. @param stored its state in a snapshot. @param strict relies on no checkpoint */
  openGate(stored: unknown, strict: boolean): LogGate {
    const options = { ...this.gateOptions(), ...(!strict && this.coverage && { coverage: this.coverage }) };
    this.current = new LogGate(options, (stored ?? undefined) as StoredGate | undefined);
    return this.current;
  }

  /** From now on what the views have passed over is void for everybody here. */
  follow(views: { waitFor(sequence: number): Promise<void> }): void {
    const { codec } = this.options;
    const admit = async (message: StoredCommit) => {
      await views.waitFor(message.sequence);
      return this.current.quarantine.has(message.sequence) ? undefined : codec.decode(message.data, message);
    };
    this.store.judge = { admit, inOrder: () => admit };
  }

  private gateOptions(): LogGateOptions {
    const noticed = (sequence: number, digest: string) => this.store.noticed(sequence, digest);
    return { ...this.options, noticed };
  }
}

/** What a synchronous judgement returns or throws, as a promise. */
function settled<T>(judge: () => T): Promise<T> {
  return new Promise((resolve) => resolve(judge()));
}
