import { ApiCode, apiCodeOf, type EventStore } from '#jetstream';
import { DomainError, fold } from '#kernel';
import { log, logBoundary, type LogEnd, type LogEvent, type LogState } from '../index.js';

/** Asks the stream's leader which log this is and where it ends. */
export class LogEnds {
  private known: { key: string; state: LogState } | undefined;

  constructor(private readonly store: EventStore) {}

  /** @throws DomainError Unavailable when NATS cannot be reached or does not hold the log */
  async look(): Promise<LogEnd> {
    try {
      const { streamId, lastSequence } = await this.store.info();
      const own = await this.store.lastSequence(logBoundary.name);
      const key = `${streamId}:${own}`;
      if (this.known?.key !== key) this.known = { key, state: await this.readState(own) };
      return { state: this.known.state, lastSequence: Math.max(lastSequence, own) };
    } catch (error) {
      if (apiCodeOf(error) !== ApiCode.streamNotFound) throw error;
      throw new DomainError('Unavailable', 'log-missing', 'NATS does not hold the log at all', { cause: error });
    }
  }

  /** @param through sequence that the last commit of the log's own boundary has at least */
  private async readState(through: number): Promise<LogState> {
    const last = await this.store.lastOf(logBoundary.name);
    if ((last?.sequence ?? 0) < through) {
      const text = 'a server that no longer leads the log has answered for it';
      throw new DomainError('Unavailable', 'no-majority', text);
    }
    const events = last?.commit ? logBoundary.eventsIn(last.commit) : [];
    // The usual case. A log that continues another one must be read whole, which costs the server a scan.
    if (events[0] === undefined || events[0].type === 'LogStarted') return fold(log, events);
    const all: LogEvent[] = [];
    for await (const commit of this.store.readBoundary(logBoundary.name)) all.push(...logBoundary.eventsIn(commit));
    return fold(log, all);
  }
}
