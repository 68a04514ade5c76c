import type { Commit } from '#kernel';
import { JobStates, jobsFrom } from './job-states.js';

function commit(sequence: number, jobId: string, type: string, data: Record<string, unknown> = {}): Commit {
  const event = { id: `e${sequence}`, v: 1, at: '2026-01-01T00:00:00.000Z', actor: 'test', requestId: 'r', type, data };
  return { sequence, boundary: `job.${jobId}`, events: [event] };
}

describe('JobStates', () => {
  const heard: string[] = [];
  const log = new Map<string, Commit>();
  let lookups: string[];
  let jobs: JobStates;
  beforeEach(() => {
    heard.length = 0;
    log.clear();
    lookups = [];
    jobs = new JobStates(
      (boundary) => {
        lookups.push(boundary);
        return Promise.resolve(log.get(boundary));
      },
      {
        jobEnded: (jobId, sequence, how) => heard.push(`${how} ${jobId} by ${sequence}`),
        jobResumed: (jobId) => heard.push(`resumed ${jobId}`),
        jobRetuned: (jobId, { bytesPerSecond, asOf }) => heard.push(`retuned ${jobId} ${bytesPerSecond} as of ${asOf}`),
      },
    );
  });
  const endedOf = async (jobId: string, jobSequence?: number) => (await jobs.standingOf({ jobId, jobSequence })).ended;

  it('looks an unknown job up once for many callers', async () => {
    log.set('job.a', commit(7, 'a', 'JobStopped'));
    const answers = await Promise.all([endedOf('a', 6), endedOf('a', 5), endedOf('b', 3)]);
    expect(answers).toEqual(['stopped', 'stopped', undefined]);
    expect(lookups).toEqual(['job.a', 'job.b']);
    await endedOf('b', 4);
    expect(lookups).toHaveLength(2);
  });

  it('follows the log: stop, resume, retune, finish', async () => {
    jobs.evolve(commit(1, 'a', 'JobAssumed', { owner: 'c', epoch: 2 }));
    jobs.evolve(commit(2, 'a', 'JobStopped'));
    jobs.evolve(commit(3, 'a', 'JobResumed', { bandwidth: 5 }));
    const standing = await jobs.standingOf({ jobId: 'a', jobSequence: 3 });
    expect(standing).toEqual({ asOf: 3, rate: { bytesPerSecond: 5, asOf: 3 } });
    jobs.evolve(commit(4, 'a', 'JobRetuned', { bandwidth: 9 }));
    jobs.evolve(commit(5, 'a', 'JobFinished', {}));
    jobs.evolve(commit(5, 'a', 'JobFinished', {}));
    expect(await endedOf('a', 4)).toBe('finished');
    const rates = ['retuned a 5 as of 3', 'retuned a 9 as of 4'];
    expect(heard).toEqual(['stopped a by 2', 'resumed a', rates[0], rates[1], 'finished a by 5']);
    expect(lookups).toEqual([]);
  });

  it('applies a stop to batches sent before it, and to none sent after it', async () => {
    jobs.evolve(commit(20, 'a', 'JobStopped'));
    // It has yet to hear that the job was resumed.
    expect(await endedOf('a', 25)).toBeUndefined();
    expect(await endedOf('a', 19)).toBe('stopped');
    jobs.evolve(commit(24, 'a', 'JobResumed'));
    jobs.evolve(commit(25, 'a', 'JobAssumed', { owner: 'c', epoch: 2 }));
    // It has heard that the job runs again.
    expect(await endedOf('a', 19)).toBe('stopped');
    expect(await endedOf('a', 25)).toBeUndefined();
    expect(heard).toEqual(['stopped a by 20', 'stopped a by 23', 'resumed a']);
  });

  it('knows from a resume that the job was stopped', async () => {
    jobs.evolve(commit(24, 'a', 'JobResumed'));
    expect(await endedOf('a', 19)).toBe('stopped');
    expect(await endedOf('a', 25)).toBeUndefined();
  });

  it('looks the job up for a batch that does not say how new it is', async () => {
    log.set('job.a', commit(20, 'a', 'JobStopped'));
    expect(await jobs.standingOf({ jobId: 'a' })).toEqual({ asOf: 19, ended: 'stopped' });
    log.set('job.a', commit(26, 'a', 'BatchesDispatched', { epoch: 2, reason: 'resumed', batches: [] }));
    expect(await jobs.standingOf({ jobId: 'a' })).toEqual({ asOf: 26 });
    // The follower is late: the stop and the resumption that it now hears of were before the batch.
    jobs.evolve(commit(24, 'a', 'JobResumed', {}));
    expect(await jobs.standingOf({ jobId: 'a' })).toEqual({ asOf: 26 });
    jobs.evolve(commit(27, 'a', 'JobStopped'));
    log.set('job.a', commit(27, 'a', 'JobStopped'));
    expect(await jobs.standingOf({ jobId: 'a' })).toEqual({ asOf: 26, ended: 'stopped' });
  });

  it('prefers later events of the log over the result of a slow look-up', async () => {
    log.set('job.a', commit(1, 'a', 'JobAssumed', { owner: 'c', epoch: 1 }));
    const asked = endedOf('a', 1);
    jobs.evolve(commit(2, 'a', 'JobStopped'));
    expect(await asked).toBe('stopped');
  });

  it('checks for replays among batches that were signed before it began to read, and among no others', async () => {
    const asked: number[] = [];
    const failed = jest.fn();
    const replays = new Set([12, 14]);
    const isInPlace = ({ sequence }: Commit) => {
      asked.push(sequence);
      return sequence === 14 ? Promise.reject(new Error('away')) : Promise.resolve(!replays.has(sequence));
    };
    const told = jobsFrom(11, jobs, isInPlace, failed);
    const stop = (sequence: number, jobId: string, seen?: number) =>
      told({
        ...commit(sequence, jobId, 'JobStopped'),
        commitId: 'c',
        ...(seen !== undefined && { seen: [seen, ''] }),
      });
    stop(11, 'unsigned');
    stop(12, 'replayed', 9);
    stop(13, 'late', 9);
    stop(14, 'unknown', 9);
    stop(15, 'new', 10);
    await new Promise((next) => setImmediate(next));
    expect(asked).toEqual([12, 13, 14]);
    expect(heard.sort()).toEqual(['stopped late by 13', 'stopped new by 15', 'stopped unsigned by 11']);
    expect(failed.mock.calls).toEqual([[new Error('away')]]);
  });

  it('distinguishes a stopped job from one that has ended', async () => {
    log.set('job.a', commit(1, 'a', 'JobStopped'));
    expect(await jobs.isFinished('a')).toBe(false);
    log.set('job.a', commit(5, 'a', 'JobFinished', {}));
    expect(await jobs.isFinished('a')).toBe(true);
  });

  it('forgets jobs without events for long, so that its memory is bounded', async () => {
    for (let i = 0; i <= 10_000; i++) jobs.evolve(commit(i + 1, `j${i}`, 'JobFinished', {}));
    expect(jobs.known('j0')).toBeUndefined();
    expect(jobs.known('j10000')).toBeDefined();
    log.set('job.j0', commit(1, 'j0', 'JobFinished', {}));
    expect(await endedOf('j0', 0)).toBe('finished');
  });
});
