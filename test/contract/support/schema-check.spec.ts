import { type Schema } from '#contexts/api-docs';
import { violations } from './schema-check.js';

const definitions: Record<string, Schema> = {
  Count: { type: 'integer', minimum: 0, maximum: 10 },
};
const count: Schema = { $ref: '#/components/schemas/Count' };

it.each<[string, Schema, unknown]>([
  ['a string', { type: 'string' }, 'a'],
  ['a whole number', { type: 'integer' }, 3],
  ['a fraction as a number', { type: 'number' }, 0.5],
  ['a reference', count, 10],
  ['an optional field left out', { type: 'object', properties: { a: count, b: count }, required: ['a'] }, { a: 1 }],
  ['any fields where none are named', { type: 'object' }, { a: 1 }],
  ['further fields by additionalProperties', { type: 'object', properties: {}, additionalProperties: count }, { z: 2 }],
  ['list entries', { type: 'array', items: count, maxItems: 2 }, [1, 2]],
  ['one of two', { anyOf: [{ type: 'string' }, count] }, 4],
  ['a value of an enum', { type: 'string', enum: ['', 'x'] }, ''],
  ['a pattern', { type: 'string', pattern: '^\\d+$' }, '12'],
  ['anything', {}, null],
])('accepts %s', (_name, schema, value) => {
  expect(violations(schema, value, definitions)).toEqual([]);
});

it.each<[string, Schema, unknown, RegExp]>([
  ['another type', { type: 'string' }, 1, /\$ is number, not string/],
  ['a fraction as an integer', { type: 'integer' }, 1.5, /not integer/],
  ['NaN', { type: 'integer' }, NaN, /not integer/],
  ['null as an object', { type: 'object' }, null, /\$ is null, not object/],
  ['an array as an object', { type: 'object' }, [], /\$ is array/],
  ['a number beyond its bounds', count, 11, /not from 0 to 10/],
  ['a number below its bounds', count, -1, /not from 0 to 10/],
  ['a missing field', { type: 'object', properties: { a: count }, required: ['a'] }, {}, /\$\.a is missing/],
  ['an undocumented field', { type: 'object', properties: { a: count } }, { b: 1 }, /\$\.b is not documented/],
  ['an inherited name', { type: 'object', properties: {} }, { constructor: 1 }, /constructor is not documented/],
  [
    'a wrong field deep down',
    { type: 'array', items: { type: 'object', properties: { a: count } } },
    [{ a: 'x' }],
    /\$\[0\]\.a/,
  ],
  ['a wrong further field', { type: 'object', additionalProperties: count }, { z: '2' }, /\$\.z/],
  ['a list too long', { type: 'array', maxItems: 1 }, [1, 2], /has 2 entries/],
  ['a list too short', { type: 'array', minItems: 1 }, [], /has 0 entries/],
  ['a text too short', { type: 'string', minLength: 1 }, '', /shorter/],
  ['a text too long', { type: 'string', maxLength: 1 }, 'ab', /longer/],
  ['a value out of an enum', { type: 'string', enum: ['a'] }, 'b', /none of a/],
  ['another constant', { type: 'string', const: 'ok' }, 'no', /is not ok/],
  ['a pattern missed', { type: 'string', pattern: '^\\d+$' }, 'x', /does not match/],
  ['neither of two', { anyOf: [{ type: 'string' }, count] }, true, /fits none of 2/],
])('refuses %s', (_name, schema, value, reason) => {
  expect(violations(schema, value, definitions).join('; ')).toMatch(reason);
});

it('throws for a keyword that it cannot check', () => {
  expect(() => violations({ format: 'date' } as Schema, 'x')).toThrow(/not checked: format/);
  expect(() => violations({ $ref: '#/components/schemas/Nothing' }, 'x')).toThrow(/refers to nothing/);
});
