import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { emptyRoot, messageDigest, rollDigest, type EventStore, type Log } from '#jetstream';
import { DomainError, type DomainEvent, type RecordedEvent } from '#kernel';
import {
  describeObjection,
  judgeMark,
  log,
  logBoundary,
  objectionTo,
  type LogEnd,
  type LogMark,
  type LogState,
  type Objection,
  type Witness,
} from '../index.js';
import { LogEnds } from './log-ends.js';

export interface LogGuardOptions {
  store: EventStore;
  record: (events: readonly DomainEvent[]) => RecordedEvent[];
  /** Whether a worker has ever joined this log. */
  hasWorkers: () => Promise<boolean>;
  /** The loss that an operator accepts (`LARDER_ACCEPT_LOG`). */
  accept?: LogMark;
  log: Log;
  /** Called when the log turns out to differ from what was seen, while this coordinator already serves from it. */
  onLost: (error: DomainError) => void;
  /** How long a log may end too early, because its server may still be recovering. Default 10 s. */
  graceMs?: number;
}

/** What a coordinator's view knows about the log, without a request. */
export interface SeenLog {
  state: LogState;
  lastSequence: number;
}

const defaultGraceMs = 10_000;
const againMs = 250;

/**
 * Compares the log with the marks of other processes: before this coordinator serves (`check`), and while it serves
 * (`admits`). It refuses to serve from a log that has lost something.
 */
export class LogGuard {
  private readonly ends: LogEnds;
  private readonly graceMs: number;
  private readonly examined = new Set<string>();
  private readonly strays = new Set<string>();
  /** Set as soon as the views exist. */
  seen: (() => SeenLog) | undefined;

  constructor(private readonly options: LogGuardOptions) {
    this.ends = new LogEnds(options.store);
    this.graceMs = options.graceMs ?? defaultGraceMs;
  }

  /**
   * Resolves when the log agrees with its witnesses. If the log has workers of its own, workers of another log do not
   * count: they are strays. The mark of this coordinator (`own`) always counts. While a mark does not agree, the
   * workers are asked again, because workers that are still starting may have seen more.
   *
   * @param ask returns the marks of the workers that are up
   * @throws DomainError Refused `log-lost`: its text says which process saw what, and what to do; Unavailable
   */
  async check(ask: () => Promise<Witness[]>, own?: Witness): Promise<void> {
    const deadline = performance.now() + this.graceMs;
    const workers = new Map<string, Witness>();
    for (;;) {
      for (const witness of await ask()) workers.set(witness.who, witness);
      const end = await this.ends.look();
      const objection = objectionTo(end, await this.heard(end, [...workers.values()], own));
      if (!objection) break;
      if (this.isAccepted(objection.witness.mark)) await this.acceptLoss(end, objection.witness.mark);
      else if (performance.now() >= deadline) throw refusal(end, objection);
      else await delay(againMs);
    }
    if (this.options.accept) this.options.log('info', 'LARDER_ACCEPT_LOG is no longer needed and can be removed');
  }

  /** Whether a worker with this mark may belong to the cluster. Starts an examination of a mark that does not agree. */
  admits(witness: { who: string; mark?: LogMark }): boolean {
    const { who, mark } = witness;
    if (!mark || !this.seen) return true;
    const { state, lastSequence } = this.seen();
    const verdict = judgeMark(state, lastSequence, mark);
    // A worker may have seen more of the log than the views of this replica. So look at the log itself.
    if (verdict !== 'agrees') void this.examine({ who, mark });
    return verdict !== 'foreign';
  }

  private async heard(end: LogEnd, workers: readonly Witness[], own?: Witness): Promise<Witness[]> {
    const foreign = ({ mark }: Witness) => judgeMark(end.state, end.lastSequence, mark) === 'foreign';
    const strays = workers.filter(foreign);
    const kept = strays.length > 0 && (await this.options.hasWorkers()) ? workers.filter((w) => !foreign(w)) : workers;
    return own ? [own, ...kept] : [...kept];
  }

  /** Looks again until the log agrees or the grace period is over. The period restarts while NATS cannot be reached. */
  private async examine(witness: Witness): Promise<void> {
    const key = `${witness.who} ${witness.mark.logId}`;
    if (this.examined.has(key)) return;
    this.examined.add(key);
    let since: number | undefined;
    try {
      for (;;) {
        const found = await this.objection(witness).catch((error: unknown) => {
          if (!(error instanceof DomainError)) throw error;
          return undefined;
        });
        if (!found) since = undefined;
        else if (found.objection === undefined) return;
        else {
          since ??= performance.now();
          if (performance.now() - since >= this.graceMs) return await this.conclude(found.end, found.objection);
        }
        await delay(againMs, undefined, { ref: false });
      }
    } catch (error) {
      // The next heartbeat starts another examination.
      this.options.log('warn', 'a log mark could not be checked', { who: witness.who, reason: String(error) });
    } finally {
      this.examined.delete(key);
    }
  }

  private async objection(witness: Witness): Promise<{ end: LogEnd; objection: Objection | undefined }> {
    const end = await this.ends.look();
    return { end, objection: objectionTo(end, [witness]) };
  }

  private async conclude(end: LogEnd, objection: Objection): Promise<void> {
    if (objection.verdict === 'behind' || !(await this.options.hasWorkers())) {
      this.options.onLost(refusal(end, objection));
      return;
    }
    const { who, mark } = objection.witness;
    if (this.strays.has(`${who} ${mark.logId}`)) return;
    this.strays.add(`${who} ${mark.logId}`);
    this.options.log('error', `${describeObjection(end, objection)}: it is not admitted to this cluster`);
  }

  /** Compares exactly: if the setting is left on, it must not cover a later loss. */
  private isAccepted(mark: LogMark): boolean {
    const { accept } = this.options;
    return accept?.logId === mark.logId && accept.sequence === mark.sequence;
  }

  private async acceptLoss(end: LogEnd, lost: LogMark): Promise<void> {
    const { store, record } = this.options;
    const expected = await store.lastSequence(logBoundary.name);
    let root = emptyRoot;
    for await (const { boundary, data } of store.readMessages('>', { through: end.lastSequence })) {
      root = rollDigest(root, messageDigest(boundary, data));
    }
    const command = { type: 'AcceptLoss', logId: randomUUID(), lost, throughSequence: end.lastSequence, root } as const;
    const events = log.decide(end.state, command);
    try {
      if (events.length > 0) await store.append(logBoundary.name, expected, record(events));
      this.options.log('warn', `given up: what the log ${lost.logId} held beyond sequence ${end.lastSequence}`);
    } catch (error) {
      // Another coordinator was faster. The next look sees what it wrote.
      if (!(error instanceof DomainError) || error.kind !== 'StaleVersion') throw error;
    }
  }
}

function refusal(end: LogEnd, objection: Objection): DomainError {
  const { logId, sequence } = objection.witness.mark;
  const text =
    `${describeObjection(end, objection)}. Restore the data of NATS, or a backup (larder restore), and start again; ` +
    `to give up what is missing, start the coordinators with LARDER_ACCEPT_LOG=${logId}:${sequence}.`;
  return new DomainError('Refused', 'log-lost', text);
}
