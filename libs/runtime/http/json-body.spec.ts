import { parseJson } from './json-body.js';

it.each([
  ['', undefined],
  ['  ', undefined],
  ['\ufeff{"a":1}', { a: 1 }],
  ['\ufeff', undefined],
  ['{"a":["x","[[[[","\\"]"]}', { a: ['x', '[[[[', '"]'] }],
  ['null', null],
  ['{"a":{"b":false, \n}\n,}', { a: { b: false } }],
  ['{"a":",}","b\\",}":"\\\\",}', { a: ',}', 'b",}': '\\' }],
])('%s is read', (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

it.each([
  ['{', /not valid JSON/],
  ['\ufeff\ufeff{}', /not valid JSON/],
  ['{"a":\u0001\u001b[31m}', /^[^\p{Cc}]*not valid JSON[^\p{Cc}]*$/u],
  ['[1,]', /not valid JSON/],
  ['{"a":1,,}', /not valid JSON/],
  ['{,}', /not valid JSON/],
  ['{"a":1,', /not valid JSON/],
  ['{"constructor":1,}', /must not hold the key 'constructor'/],
  ['{"__proto__":{"a":1}}', /must not hold the key '__proto__'/],
  ['{"a":{"constructor":1}}', /must not hold the key 'constructor'/],
  ['['.repeat(100_000), /nested deeper than 32/],
  [`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, /nested deeper than 32/],
])('fault 19: %.20s is refused', (text, reason) => {
  expect(() => parseJson(text)).toThrow(reason);
});

it('leaves prototypes alone', () => {
  expect(() => parseJson('{"__proto__":{"polluted":true}}')).toThrow();
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
