import { type EventCatalogue, type RecordedEvent } from '#kernel';
import { CorruptEventError, EventCodec, UnknownEventError } from '../index.js';

const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new Error('not a string');
  return value;
};

/** `Renamed` began as { name }, became { title }, and now has { title, language }. */
const catalogue: EventCatalogue = {
  Renamed: {
    v: 3,
    description: 'It has another title.',
    schema: {
      parse: (data) => {
        const { title, language } = data as Record<string, unknown>;
        return { title: text(title), language: text(language) };
      },
    },
    upcast: {
      1: ({ name }: { name: string }) => ({ title: name }),
      2: ({ title }: { title: string }) => ({ title, language: 'en' }),
    },
  },
};
const codec = new EventCodec([catalogue]);
const position = { sequence: 41, boundary: 'book.1' };
const recorded = (v: number, data: unknown): RecordedEvent => ({
  id: 'e-1',
  type: 'Renamed',
  v,
  at: '2026-01-02T03:04:05.000Z',
  actor: 'alice',
  requestId: 'r-1',
  data,
});
const stored = (events: unknown[], id: unknown = 'e-1') => Buffer.from(JSON.stringify({ id, events }));

/** Jest's own type for this is `any`. */
const matching = (fields: Record<string, unknown>) => expect.objectContaining(fields) as Error;

describe('EventCodec', () => {
  it('reads any text that it wrote', () => {
    const event = recorded(3, { title: 'Ünï😀 "\\ 名', language: 'de' });
    const bytes = codec.encode({ commitId: 'e-1', events: [event, { ...event, id: 'e-2' }] });
    expect(codec.decode(bytes, position)).toEqual({
      ...position,
      commitId: 'e-1',
      events: [event, { ...event, id: 'e-2' }],
    });
  });

  it.each([
    [1, { name: 'Dune' }],
    [2, { title: 'Dune' }],
    [3, { title: 'Dune', language: 'en' }],
  ])('converts version %i to the current one', (v, data) => {
    const [event] = codec.decode(stored([recorded(v, data)]), position).events;
    expect(event).toEqual(recorded(3, { title: 'Dune', language: 'en' }));
  });

  it('fault 24: stops at an unknown type or version, and names it and its place', () => {
    const unknownType = { ...recorded(1, {}), type: 'Burnt' };
    expect(() => codec.decode(stored([unknownType]), position)).toThrow(UnknownEventError);
    expect(() => codec.decode(stored([unknownType]), position)).toThrow(/"Burnt" version 1 at sequence 41/);
    expect(() => codec.decode(stored([recorded(4, {})]), position)).toThrow(
      matching({ code: 'unknown-event', type: 'Renamed', version: 4, sequence: 41 }),
    );
    const withoutSteps = new EventCodec([{ Renamed: { ...catalogue.Renamed, upcast: {} } }]);
    expect(() => withoutSteps.decode(stored([recorded(2, {})]), position)).toThrow(/no step from version 2 to 3/);
  });

  it.each([
    ['no JSON', Buffer.from('{"id":"e-1","events":[')],
    ['no bytes', Buffer.alloc(0)],
    ['null', Buffer.from('null')],
    ['no id', stored([recorded(3, { title: 'a', language: 'b' })], null)],
    ['no events', stored([])],
    ['an invalid event', stored([null])],
    ['an event without an actor', stored([{ ...recorded(3, {}), actor: undefined }])],
    ['an invalid version', stored([recorded(1.5, { name: 'a' })])],
    ['data that does not fit', stored([recorded(3, { title: 7, language: 'en' })])],
    ['data that an upcaster cannot take', stored([recorded(1, null)])],
  ])('fault 24: refuses %s as corrupt', (_what, bytes) => {
    expect(() => codec.decode(bytes, position)).toThrow(CorruptEventError);
    expect(() => codec.decode(bytes, position)).toThrow(/sequence 41/);
  });

  it('refuses to write what it could not read', () => {
    const encode = (event: RecordedEvent) => () => codec.encode({ commitId: 'e-1', events: [event] });
    expect(encode(recorded(3, { title: 'a' }))).toThrow(matching({ kind: 'Bug', code: 'invalid-event' }));
    expect(encode(recorded(2, { title: 'a' }))).toThrow(/not in the catalogue, which has version 3/);
    expect(encode({ ...recorded(3, {}), type: 'Burnt' })).toThrow(/"Burnt"/);
    expect(() => codec.encode({ commitId: 'e-1', events: [] })).toThrow(/at least one event/);
  });

  it('refuses a commit that NATS would not take', () => {
    const events = [recorded(3, { title: 'x'.repeat(5_000), language: 'en' })];
    expect(() => codec.encode({ commitId: 'e-1', events }, 5_000)).toThrow(
      matching({ kind: 'Refused', code: 'commit-too-large' }),
    );
    expect(codec.encode({ commitId: 'e-1', events }, 8_000).length).toBeGreaterThan(5_000);
  });

  it('refuses two declarations of one type', () => {
    expect(() => new EventCodec([catalogue, catalogue])).toThrow(/declared twice/);
  });
});
