import { pageCount, queryText } from './request-context.js';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['x', 'x'],
  [{ a: 'x' }, undefined],
])('%j is read as %j', (value, text) => {
  expect(queryText(value)).toBe(text);
});

it('a parameter given twice is refused, not passed over', () => {
  expect(() => queryText(['a', 'b'])).toThrow('a query parameter may be given once only: "a" and "b"');
});

it.each(['0', '-1', '1.5', 'x', '1e9', 'NaN', 'Infinity'])('%s is no page size', (value) => {
  expect(() => pageCount(value)).toThrow(/count must be a whole number/);
});
