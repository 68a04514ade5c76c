import { randomUUID } from 'node:crypto';
import { DomainError, type CommandContext, type DomainEvent, type EventCatalogue, type RecordedEvent } from '#kernel';

/** Turns decided events into recorded ones: adds ids, the current version of the schema, and who asked for it. */
export class Recorder {
  constructor(private readonly catalogue: EventCatalogue) {}

  record(events: readonly DomainEvent[], context: CommandContext): RecordedEvent[] {
    return events.map(({ type, data }) => {
      const schema = this.catalogue[type];
      if (!schema) throw new DomainError('Bug', 'unknown-event', `no schema for the event type '${type}'`);
      return { id: randomUUID(), type, v: schema.v, ...context, data };
    });
  }
}

/** The context of a command that a process gives to itself. */
export function ownContext(actor: string): CommandContext {
  return { at: new Date().toISOString(), actor, requestId: randomUUID() };
}
