import fc from 'fast-check';
import { jsonOf, withJson } from './ready-json.js';

it('an answer with ready texts equals its fresh serialisation', () => {
  const item = fc.record({ value: fc.jsonValue(), isReady: fc.boolean() });
  const rest = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant(undefined)));
  fc.assert(
    fc.property(fc.array(item), rest, fc.boolean(), (items, others, resultsFirst) => {
      const results = items.map(({ value, isReady }) =>
        isReady && typeof value === 'object' && value !== null ? withJson(value, JSON.stringify(value)) : value,
      );
      const answer = resultsFirst ? { results, ...others } : { ...others, results };
      expect(jsonOf(answer)).toBe(JSON.stringify(answer));
    }),
  );
});

it('the text of a whole answer is sent as it is', () => {
  expect(jsonOf(withJson({ a: 1 }, '{"a":1}'))).toBe('{"a":1}');
});

it('an answer that was copied and changed does not have the text of the original', () => {
  const answer = withJson({ a: 1 }, '{"a":1}');
  expect(jsonOf({ ...answer, ignored: ['x'] })).toBe('{"a":1,"ignored":["x"]}');
});

it.each([null, 7, 'text', true, [], {}])('%j is serialised as usual', (value) => {
  expect(jsonOf(value)).toBe(JSON.stringify(value));
});
