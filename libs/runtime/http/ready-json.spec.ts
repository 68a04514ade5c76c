import fc from 'fast-check';
import { jsonOf, withJson } from './ready-json.js';

it('an answer with ready parts equals its fresh serialisation', () => {
  const item = fc.record({ value: fc.jsonValue(), isReady: fc.boolean() });
  const rest = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant(undefined)));
  fc.assert(
    fc.property(fc.array(item), rest, fc.boolean(), (items, others, resultsFirst) => {
      const results = items.map(({ value, isReady }) =>
        isReady && typeof value === 'object' && value !== null
          ? withJson(value, Buffer.from(JSON.stringify(value)))
          : value,
      );
      const answer = resultsFirst ? { results, ...others } : { ...others, results };
      expect(Buffer.from(jsonOf(answer)).toString()).toBe(JSON.stringify(answer));
    }),
  );
});

it('the JSON of a whole answer is sent as it is', () => {
  const json = Buffer.from('{"a":1}');
  expect(jsonOf(withJson({ a: 1 }, json))).toBe(json);
});

it('an answer that was copied and changed does not have the JSON of the original', () => {
  const answer = withJson({ a: 1 }, Buffer.from('{"a":1}'));
  expect(jsonOf({ ...answer, ignored: ['x'] })).toBe('{"a":1,"ignored":["x"]}');
});

it.each([null, 7, 'text', true, [], {}])('%j is serialised as usual', (value) => {
  expect(jsonOf(value)).toBe(JSON.stringify(value));
});
