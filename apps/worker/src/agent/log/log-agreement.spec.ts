import { type LogEnd, type LogMark } from '#contexts/log';
import { DomainError } from '#kernel';
import { untilLogAgrees } from './log-agreement.js';

const log = (logId: string | undefined, lastSequence: number): LogEnd => ({
  state: { logId, ancestors: [] },
  lastSequence,
});

describe('a worker and the log it has seen', () => {
  const refused: string[] = [];
  const stop = new AbortController();
  beforeEach(() => void (refused.length = 0));

  /** Looks at one end of the log after another; the last one stays. */
  function compare(mark: LogMark | undefined, graceMs: number, ...ends: (LogEnd | Error)[]): Promise<void> {
    const look = () => {
      const end = ends.length > 1 ? ends.shift()! : ends[0];
      return end instanceof Error ? Promise.reject(end) : Promise.resolve(end);
    };
    const refuse = (reason: string) => refused.push(reason);
    return untilLogAgrees({ look, mark: () => mark, signal: stop.signal, refuse, graceMs });
  }

  const away = new DomainError('Unavailable', 'nats-unreachable', 'NATS does not answer');
  const mark = { logId: 'a', sequence: 10 };

  it('agree when it has seen none, or no more than the log holds', async () => {
    await compare(undefined, 0, log('x', 0));
    await compare(mark, 0, log('a', 10));
    expect(refused).toEqual([]);
  });

  it('wait for a server that is still recovering', async () => {
    await compare(mark, 60_000, log('a', 7), away, log('a', 10));
    expect(refused).toEqual([]);
  });

  it('disagree, report it once, and agree when the log comes back', async () => {
    await compare(mark, 0, log('a', 7), log('a', 7), away, log('a', 12));
    expect(refused).toEqual(['the log a ends at sequence 7, but this worker has seen it up to 10']);
  });

  it('disagree at once when it is another log', async () => {
    await compare(mark, 60_000, log('b', 50), log('a', 50));
    expect(refused).toEqual([
      'NATS holds the log b, which ends at sequence 50, but this worker belongs to the log a and has seen it up to 10',
    ]);
  });

  it('pass on errors that are no outage', async () => {
    await expect(compare(mark, 0, new Error('broken'))).rejects.toThrow('broken');
  });
});
