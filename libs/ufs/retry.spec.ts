import * as fc from 'fast-check';
import { RetriesExhausted, withRetries } from './retry.js';
import { UfsError, type UfsErrorCode } from './types.js';

const failure = (code: UfsErrorCode): UfsError => new UfsError(code, 's3://b/k', `It failed: ${code}.`);

describe('withRetries', () => {
  const policy = { attempts: 5, baseDelayMs: 10, maxDelayMs: 25 };

  test('gives the value and the number of attempts', async () => {
    let calls = 0;
    const operation = (attempt: number): Promise<string> => {
      expect(attempt).toBe(++calls);
      return attempt < 3 ? Promise.reject(failure('Timeout')) : Promise.resolve('done');
    };
    await expect(withRetries(policy, operation, { random: () => 0 })).resolves.toEqual({ value: 'done', attempts: 3 });
  });

  test('waits between 0 and the doubled, capped delay', async () => {
    const waits: number[] = [];
    const outcome = withRetries(policy, () => Promise.reject(failure('Unavailable')), {
      random: () => 0.999,
      onRetry: (_, __, delayMs) => waits.push(delayMs),
    });
    await expect(outcome).rejects.toMatchObject({ attempts: 5, message: 'It failed: Unavailable.' });
    expect(waits.map((delayMs) => delayMs / 0.999)).toEqual([10, 20, 25, 25]);
  });

  test.each<UfsErrorCode>(['NotFound', 'Forbidden', 'IsDirectory', 'TooLarge', 'Outside', 'Invalid', 'Aborted'])(
    '%s is final',
    async (code) => {
      const outcome = withRetries(policy, () => Promise.reject(failure(code)));
      await expect(outcome).rejects.toMatchObject({ attempts: 1, cause: { code } });
    },
  );

  test('a bug passes through as it is', async () => {
    const bug = new TypeError('a bug');
    await expect(withRetries(policy, () => Promise.reject(bug))).rejects.toBe(bug);
  });

  test('an abort ends the wait at once, and an aborted signal allows none', async () => {
    const abort = new AbortController();
    const endless = { attempts: 3, baseDelayMs: 3_600_000, maxDelayMs: 3_600_000 };
    const outcome = withRetries(endless, () => Promise.reject(failure('Timeout')), {
      signal: abort.signal,
      random: () => 0.9,
      onRetry: () => abort.abort(),
    });
    await expect(outcome).rejects.toMatchObject({ attempts: 1, cause: { code: 'Aborted' } });
    const late = withRetries(endless, () => Promise.reject(failure('Timeout')), { signal: abort.signal });
    await expect(late).rejects.toBeInstanceOf(RetriesExhausted);
  });

  test('never exceeds the number of attempts or the delay', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (attempts, failures, random) => {
          let calls = 0;
          const waits: number[] = [];
          const outcome = await withRetries(
            { attempts, baseDelayMs: 0.01, maxDelayMs: 0.1 },
            () => (++calls > failures ? Promise.resolve('ok') : Promise.reject(failure('Throttled'))),
            { random: () => random, onRetry: (_, __, delayMs) => waits.push(delayMs) },
          ).catch((error: unknown) => error as RetriesExhausted);
          expect(calls).toBe(Math.min(attempts, failures + 1));
          expect(outcome.attempts).toBe(calls);
          expect(waits.every((delayMs) => delayMs >= 0 && delayMs <= 0.1)).toBe(true);
        },
      ),
      { numRuns: 20 },
    );
  });
});
