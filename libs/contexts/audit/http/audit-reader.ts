import { Injectable } from '@nestjs/common';
import { EventStore, sequenceAt, type StoredCommit } from '#jetstream';
import { DomainError } from '#kernel';
import { type Moment } from '#runtime';
import {
  boundaryFilters,
  cursorText,
  isBehind,
  jobIdOf,
  matches,
  nextSequence,
  presentEvent,
  type AuditEvent,
  type Cursor,
  type EventFilter,
  type EventPage,
} from '../index.js';
import { type EventQuery } from './event-query.js';
import { JobDirectory } from './job-directory.js';
import { mergeBySequence } from './merge-commits.js';

/** A part of the log to read. */
export interface Stretch {
  readonly filter: EventFilter;
  readonly after: Cursor;
  readonly through: number;
  readonly boundaries: readonly string[];
}

/** One page reads at most this much of the log, however few events match. */
const maxScanned = 20_000;
const maxScanMs = 2_000;
/** How long a page waits for a silent NATS. It is short, because a client waits for the page. */
const stallTimeoutMs = 2_500;
/** Pause before a stream continues after an error of NATS. */
const retryMs = 250;

/** Reads the log for auditors. */
@Injectable()
export class AuditReader {
  constructor(
    private readonly store: EventStore,
    private readonly jobs: JobDirectory,
  ) {}

  /** Fixes both ends: commits appended later are not included. @throws DomainError Unavailable */
  async stretch({ filter, from, to, after }: Pick<EventQuery, 'filter' | 'from' | 'to' | 'after'>): Promise<Stretch> {
    const { firstSequence, lastSequence } = await this.store.info();
    const begin: Cursor = { sequence: Math.max(firstSequence, from ? await this.firstAt(from) : 1) - 1 };
    const ends = await Promise.all(to.map((moment) => this.lastAt(moment)));
    return {
      filter,
      after: after && after.sequence > begin.sequence ? after : begin,
      through: Math.min(lastSequence, ...ends),
      boundaries: boundaryFilters(filter, filter.id === undefined ? undefined : await this.jobs.slotOf(filter.id)),
    };
  }

  /** At most `count` events from a bounded part of the log. The next page begins at `lastKey`. */
  async page(stretch: Stretch, count: number, limits = { maxScanned, maxScanMs }): Promise<EventPage> {
    const { after, through } = stretch;
    const deadline = performance.now() + limits.maxScanMs;
    const results: AuditEvent[] = [];
    let looked: Cursor = after;
    let scanned = 0;
    for await (const message of this.messages(stretch, { stallTimeoutMs })) {
      for (const event of await this.eventsOf(message, stretch.filter, after)) {
        if (results.length === count) return { results, ...pausedAt(looked) };
        results.push(event);
        looked = { sequence: event.sequence, index: event.index };
      }
      looked = { sequence: message.sequence };
      const more = message.sequence < through;
      if (more && (results.length === count || ++scanned >= limits.maxScanned || performance.now() > deadline)) {
        return { results, ...pausedAt(looked) };
      }
    }
    const end = Math.max(through, after.sequence);
    const lastKey = end === after.sequence ? cursorText(looked) : String(end);
    return { results, lastKey, scannedThrough: end, complete: true };
  }

  /** All matching events, at the pace of the consumer. */
  async *all(stretch: Stretch, signal?: AbortSignal): AsyncGenerator<AuditEvent> {
    for await (const message of this.messages(stretch, { signal })) {
      yield* await this.eventsOf(message, stretch.filter, stretch.after);
    }
  }

  /** Where a stream begins; by default after the last commit of the log. @throws DomainError */
  async beginning(from: Moment | undefined, after: Cursor | undefined): Promise<Cursor> {
    const { firstSequence, lastSequence } = await this.store.info();
    const begin = after ?? { sequence: from ? (await this.firstAt(from)) - 1 : lastSequence };
    if (begin.sequence > lastSequence) {
      const field = after ? 'lastEventId' : 'from';
      const text = `${field} lies behind the log's end, which is ${lastSequence}: ${cursorText(begin)}`;
      throw new DomainError('Malformed', 'behind-the-end', text);
    }
    return begin.sequence < firstSequence - 1 ? { sequence: firstSequence - 1 } : begin;
  }

  /**
   * All commits after the cursor, each with its matching events, and then the commits appended later, until the signal
   * is aborted. While NATS is away, it waits.
   */
  async *follow(
    filter: EventFilter,
    begin: Cursor,
    signal: AbortSignal,
  ): AsyncGenerator<{ sequence: number; events: AuditEvent[] }> {
    const boundaries = boundaryFilters(filter);
    let after = begin;
    while (!signal.aborted) {
      try {
        for await (const message of this.store.follow(boundaries[0], { from: nextSequence(after), signal })) {
          const events = await this.eventsOf(message, filter, after);
          yield { sequence: message.sequence, events };
          after = { sequence: message.sequence };
        }
      } catch (error) {
        if (!(error instanceof DomainError) || error.kind !== 'Unavailable') throw error;
        await new Promise((again) => setTimeout(again, retryMs));
      }
    }
  }

  private messages(
    { boundaries, after, through }: Stretch,
    options: { signal?: AbortSignal; stallTimeoutMs?: number },
  ): AsyncGenerator<StoredCommit> {
    const range = { ...options, from: nextSequence(after), through };
    return mergeBySequence(boundaries.map((boundary) => this.store.readMessages(boundary, range)));
  }

  private async eventsOf(message: StoredCommit, filter: EventFilter, after: Cursor): Promise<AuditEvent[]> {
    const commit = await this.store.admitted(message);
    if (!commit) return [];
    const found: AuditEvent[] = [];
    for (const [index, event] of commit.events.entries()) {
      this.jobs.learn(event);
      if (!isBehind(after, commit.sequence, index) || !matches(filter, commit, event)) continue;
      if (filter.jobKind !== undefined) {
        const jobId = jobIdOf(commit, event);
        if (jobId === undefined || (await this.jobs.kindOf(jobId)) !== filter.jobKind) continue;
      }
      found.push(presentEvent(commit, index, message.recordedAtMs));
    }
    return found;
  }

  private async firstAt(moment: Moment): Promise<number> {
    return 'sequence' in moment ? moment.sequence : (await sequenceAt(this.store, moment.timeMs - 1)) + 1;
  }

  private async lastAt(moment: Moment): Promise<number> {
    return 'sequence' in moment ? moment.sequence : sequenceAt(this.store, moment.timeMs);
  }
}

function pausedAt(looked: Cursor): Omit<EventPage, 'results'> {
  return { lastKey: cursorText(looked), scannedThrough: looked.sequence, complete: false };
}
