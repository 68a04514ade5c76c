import { sequenceAt, type EventStore } from '#jetstream';
import { DomainError } from '#kernel';
import { parseMoment } from './moment.js';
import { type Past } from './past.js';
import { type PastStates } from './past-states.js';

/**
 * Answers for any moment of the log's history. It turns `asOf` of a request into the states of all views at that
 * moment. The request's handler runs with them (`inPast`) without knowing: it asks `Views`, and `nowMs` for the time.
 * Data that comes from heartbeats only has no history, so code that shows it must ask `currentPast`.
 */
export class TimeTravel {
  constructor(
    private readonly store: EventStore,
    private readonly states: Pick<PastStates, 'at'>,
  ) {}

  /**
   * @param asOf a log sequence or an ISO 8601 time; a time means the last sequence at or before it
   * @throws DomainError Malformed, naming `asOf`; what `PastStates.at` throws
   */
  async visit(asOf: string, signal: AbortSignal): Promise<Past> {
    const { sequence, nowMs } = await this.resolve(asOf);
    return { sequence, nowMs, states: await this.states.at(sequence, signal) };
  }

  private async resolve(asOf: string): Promise<{ sequence: number; nowMs: number }> {
    const moment = parseMoment(asOf, 'asOf');
    const { firstSequence, lastSequence } = await this.store.info();
    if ('sequence' in moment) {
      const { sequence } = moment;
      if (sequence > lastSequence) throw outside(`asOf lies behind the log's end, which is ${lastSequence}: ${asOf}`);
      if (sequence < firstSequence) throw outside(`asOf lies before the log's first event, ${firstSequence}: ${asOf}`);
      return { sequence, nowMs: (await this.store.recordedAt(sequence)) ?? Date.now() };
    }
    const { timeMs } = moment;
    // The log has the NATS server's clock, which may be ahead of ours: a moment that the log includes is not the
    // future.
    if (timeMs > Date.now() && timeMs > ((await this.store.recordedAt(lastSequence)) ?? 0)) {
      throw outside(`asOf lies in the future: ${asOf}`);
    }
    const sequence = await sequenceAt(this.store, timeMs);
    if (sequence === 0) throw outside(`asOf lies before the log's first event: ${asOf}`);
    return { sequence, nowMs: timeMs };
  }
}

function outside(message: string): DomainError {
  return new DomainError('Malformed', 'as-of-outside', message);
}
