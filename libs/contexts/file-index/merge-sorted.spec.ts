import fc from 'fast-check';
import { mergeSorted } from './merge-sorted.js';

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of what is already there
async function* streamOf(paths: string[]): AsyncGenerator<string> {
  yield* paths;
}

it('the merge gives every path once, in byte order', async () => {
  const paths = fc.uniqueArray(fc.string({ unit: 'grapheme' }), { maxLength: 20 }).map((all) => all.sort(byBytes));
  await fc.assert(
    fc.asyncProperty(fc.array(paths, { maxLength: 4 }), async (lists) => {
      const merged: string[] = [];
      for await (const path of mergeSorted(lists.map(streamOf))) merged.push(path);
      expect(merged).toEqual([...new Set(lists.flat())].sort(byBytes));
    }),
  );
});

it('the merge closes its streams when the reader leaves', async () => {
  let closed = 0;
  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async function* endless(): AsyncGenerator<string> {
    try {
      for (let i = 0; ; i++) yield String(i).padStart(9, '0');
    } finally {
      closed++;
    }
  }
  for await (const path of mergeSorted([endless(), endless()])) if (path === '000000005') break;
  expect(closed).toBe(2);
});
