import { restartBackoff, restartDelayMs } from './backoff.js';

describe('restartDelayMs', () => {
  it('doubles from a quarter of a second to five seconds', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((deaths) => restartDelayMs(deaths, restartBackoff));
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
  });
});
