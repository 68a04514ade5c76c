/**
 * What the codec must know of one event type: the version written today, how to validate its data, and how to bring
 * older versions up, one step each (`upcast[1]` turns data of version 1 into version 2).
 */
export interface EventSchema<Data = unknown> {
  readonly v: number;
  /** One sentence for `docs/events.md`. */
  readonly description: string;
  /** A zod schema or an object like it: throws on data that does not fit. */
  readonly schema: { parse(data: unknown): Data };
  readonly upcast?: Readonly<Record<number, (data: never) => unknown>>;
}

/** All event types of a context, by type name. */
export type EventCatalogue = Readonly<Record<string, EventSchema>>;
