import { TimeSlice } from './time-slice.js';

it('fault 18: endless work lets other work run', async () => {
  const slice = new TimeSlice();
  let turns = 0;
  setImmediate(() => turns++);
  const startedAtMs = performance.now();
  while (!slice.isOver) expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  await slice.letOthersIn();
  expect(turns).toBe(1);
});
