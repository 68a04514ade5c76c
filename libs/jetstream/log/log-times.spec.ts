import { lastAtOrBefore } from './log-times.js';

const search = (times: readonly number[], timeMs: number, first = 1) => {
  let asked = 0;
  const timeOf = (sequence: number) => {
    asked++;
    return Promise.resolve(times[sequence - first] as number | undefined);
  };
  return lastAtOrBefore(timeMs, first, first + times.length - 1, timeOf).then((sequence) => ({ sequence, asked }));
};

it.each([
  [9, 0],
  [10, 1],
  [19, 1],
  [20, 3],
  [30, 4],
  [99, 4],
])('at %i: sequence %i', async (timeMs, sequence) => {
  expect((await search([10, 20, 20, 30], timeMs)).sequence).toBe(sequence);
});

it('no time is known before the archived part, nor in an empty log', async () => {
  expect((await search([10, 20], 15, 41)).sequence).toBe(41);
  expect((await search([10, 20], 5, 41)).sequence).toBe(0);
  expect((await search([], 5)).sequence).toBe(0);
});

it('a look-up takes few requests', async () => {
  const times = Array.from({ length: 100_000 }, (_, i) => i);
  const { sequence, asked } = await search(times, 77_776);
  expect(sequence).toBe(77_777);
  expect(asked).toBeLessThan(20);
});
