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
  /** The loss that an operator gives up (`LARDER_ACCEPT_LOG`). */
  accept?: LogMark;
  log: Log;
  /** The log is found to be another than was seen while it is being served from. */
  onLost: (error: DomainError) => void;
  /** How long a log that ends too early is taken for one whose server is still recovering. Default 10 s. */
  graceMs?: number;
}

/** What a coordinator's view shows of the log, without asking anybody. */
export interface SeenLog {
  state: LogState;
  lastSequence: number;
}

const defaultGraceMs = 10_000;
const againMs = 250;

/**
 * Holds the log against what others have seen of it: before this coordinator serves (`check`), and as long as it does
 * (`admits`). It refuses rather than build on a log that has lost something.
 */
export class LogGuard {
  private readonly ends: LogEnds;
  private readonly graceMs: number;
  private readonly examined = new Set<string>();
  private readonly strays = new Set<string>();
  /** Set as soon as views are there. */
  seen: (() => SeenLog) | undefined;

  constructor(private readonly options: LogGuardOptions) {
    this.ends = new LogEnds(options.store);
    this.graceMs = options.graceMs ?? defaultGraceMs;
  }

  /**
   * Resolves when the log agrees with its witnesses. Workers of another log are no witnesses against one that has
   * workers of its own: they are strays; what this coordinator itself has seen (`own`) always counts. As long as
   * something speaks against the log, workers are asked again: those that start at the same time may have seen more.
   *
   * @param ask the workers that are up
   * @throws DomainError Refused `log-lost` with what was seen by whom, and what to do; Unavailable
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
    if (this.options.accept) this.options.log('info', 'LARDER_ACCEPT_LOG is of no more use and can be taken away');
  }

  /** Whether a worker with this mark may belong to the cluster. What the mark says is looked into by the way. */
  admits(witness: { who: string; mark?: LogMark }): boolean {
    const { who, mark } = witness;
    if (!mark || !this.seen) return true;
    const { state, lastSequence } = this.seen();
    const verdict = judgeMark(state, lastSequence, mark);
    // A worker may well have seen more of the log than the views of this replica have: the log itself must be asked.
    if (verdict !== 'agrees') void this.examine({ who, mark });
    return verdict !== 'foreign';
  }

  private async heard(end: LogEnd, workers: readonly Witness[], own?: Witness): Promise<Witness[]> {
    const foreign = ({ mark }: Witness) => judgeMark(end.state, end.lastSequence, mark) === 'foreign';
    const strays = workers.filter(foreign);
    const kept = strays.length > 0 && (await this.options.hasWorkers()) ? workers.filter((w) => !foreign(w)) : workers;
    return own ? [own, ...kept] : [...kept];
  }

  /** One look after another until the log agrees, or the grace is over. While NATS cannot be asked, nothing counts. */
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
      // Looked into again with the next heartbeat.
      this.options.log('warn', 'a log mark could not be looked into', { who: witness.who, reason: String(error) });
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

  /** Exactly what was named, so that the setting can not cover a later loss should it be left on. */
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
      // Another coordinator was quicker: the next look sees what it wrote.
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
