import { answerAs, answerObject, count, flag, listOf, oneOfTexts, recordOf, text, wholeAnswer } from './index.js';
import { type AnswerOf } from './index.js';

const copy = answerObject({ path: text('Where it is.'), bytes: count('How many.') }, ['bytes']);
const declared = wholeAnswer(
  {
    state: oneOfTexts(['up', 'down'], 'Whether it is heard of.'),
    copies: listOf(copy, 'All of them.'),
    reasons: recordOf(text('A sentence.'), 'By address.'),
    empty: flag('Whether there are none.'),
  },
  ['empty'],
);
const given = { state: 'up', copies: [{ path: '/a', bytes: 1 }], reasons: { b: 'c' }, empty: false } as const;

it('a declaration is a JSON Schema, and no more than that', () => {
  expect(declared).toEqual({
    type: 'object',
    required: ['state', 'copies', 'reasons'],
    properties: {
      state: { type: 'string', enum: ['up', 'down'], description: 'Whether it is heard of.' },
      copies: {
        type: 'array',
        description: 'All of them.',
        items: {
          type: 'object',
          required: ['path'],
          properties: {
            path: { type: 'string', description: 'Where it is.' },
            bytes: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'How many.' },
          },
        },
      },
      reasons: {
        type: 'object',
        additionalProperties: { type: 'string', description: 'A sentence.' },
        description: 'By address.',
      },
      empty: { type: 'boolean', description: 'Whether there are none.' },
      ignored: expect.objectContaining({ type: 'array', items: { type: 'string' } }) as unknown,
    },
  });
});

it('an answer is given back as it is', () => {
  expect(answerAs(declared, given)).toBe(given);
  const without: AnswerOf<typeof declared> = { state: 'down', copies: [{ path: '/a' }], reasons: {} };
  expect(answerAs(declared, { ...without, empty: true })).toEqual({ ...without, empty: true });
});

/** `npm run check` fails where one of these compiles: an expected error that does not occur is one. */
describe('an answer does not compile', () => {
  it('with a field of another type, or without a required one', () => {
    // @ts-expect-error -- `state` is none of the declared texts
    answerAs(declared, { ...given, state: 'away' });
    // @ts-expect-error -- `path` of a copy is a text
    answerAs(declared, { ...given, copies: [{ path: 1, bytes: 1 }] });
    // @ts-expect-error -- `reasons` is missing
    answerAs(declared, { state: 'up', copies: given.copies, empty: true });
  });

  it('with an undeclared field, wherever it comes from', () => {
    const more = { surplus: 1 };
    // @ts-expect-error -- a spread brings `surplus` in
    answerAs(declared, { ...given, ...more });
    // @ts-expect-error -- a spread may bring `surplus` in
    answerAs(declared, { ...given, ...(Math.random() > 2 ? more : {}) });
    // @ts-expect-error -- also where a text is written out
    answerAs(declared, { state: 'up', copies: given.copies, reasons: {}, empty: true, ...more });
    // @ts-expect-error -- `surplus` in an entry of a list
    answerAs(declared, { ...given, copies: [{ path: '/a', bytes: 1, ...more }] });
  });

  it('when it never has an optional field that is declared, unless that is `ignored`', () => {
    const { empty: _, ...always } = given;
    // @ts-expect-error -- `empty` is never given
    answerAs(declared, always);
    // @ts-expect-error -- `bytes` of a copy is never given
    answerAs(declared, { ...given, copies: [{ path: '/a' }] });
    answerAs(declared, { ...always, ...(Math.random() > 2 ? { empty: true } : {}) });
  });
});
