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
 * Judges single messages, and boundaries from their beginning, with a gate that has read a part of the log or nothing.
 * @param isInPlace called for each single commit with a valid signature, because a replay has one, too
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
 * Decides for a coordinator which messages of the log are valid. The gate in front of its views decides, and all other
 * readers of the log use that decision.
 */
export class LogTrust {
  private current: LogGate;
  private coverage: Coverage | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly options: LogTrustOptions,
  ) {
    this.current = new LogGate(this.gateOptions());
    // Until the views exist: single messages by their signatures, the log's own boundary from its beginning.
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

  /** Looks for the newest checkpoint that lists its void messages. @throws DomainError Unavailable */
  async prepare(): Promise<void> {
    // Such a checkpoint is always signed. So every message must be signed here: 0, as the gate has not read
    // `SigningBegan` yet. The place does not matter: a replayed checkpoint covers less of the log, but is still true.
    const anywhere = judgeBy(this.current.fork(0), () => Promise.resolve(true));
    const last = await this.store.lastOf(checkpointBoundary.name, anywhere);
    for (const { data } of last?.commit ? checkpointBoundary.eventsIn(last.commit) : []) {
      const { throughSequence, root, void: voided } = data;
      if (voided) this.coverage = { throughSequence, root, void: voided };
    }
  }

  /** The gate for folding the views. @param stored its state in a snapshot. @param strict ignore checkpoints */
  openGate(stored: unknown, strict: boolean): LogGate {
    const options = { ...this.gateOptions(), ...(!strict && this.coverage && { coverage: this.coverage }) };
    this.current = new LogGate(options, (stored ?? undefined) as StoredGate | undefined);
    return this.current;
  }

  /** From now on, all readers in this process treat the messages as void that the views have skipped. */
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

function settled<T>(judge: () => T): Promise<T> {
  return new Promise((resolve) => resolve(judge()));
}
