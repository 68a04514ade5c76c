import { mergeBySequence } from './merge-commits.js';

const closed: string[] = [];

async function* stream(name: string, ...sequences: number[]) {
  try {
    for (const sequence of sequences) yield await Promise.resolve({ name, sequence });
  } finally {
    closed.push(name);
  }
}

beforeEach(() => closed.splice(0));

it('streams are merged by sequence', async () => {
  const merged: number[] = [];
  for await (const { sequence } of mergeBySequence([stream('a', 2, 5, 9), stream('b'), stream('c', 1, 6, 7)])) {
    merged.push(sequence);
  }
  expect(merged).toEqual([1, 2, 5, 6, 7, 9]);
});

it('no streams give no commits', async () => {
  for await (const message of mergeBySequence([])) throw new Error(JSON.stringify(message));
});

it('every stream is closed when the reader leaves early', async () => {
  for await (const { sequence } of mergeBySequence([stream('a', 1, 3), stream('b', 2, 4)])) {
    if (sequence === 2) break;
  }
  expect(closed.sort()).toEqual(['a', 'b']);
});
