import type { Commit } from '#kernel';
import { JobStates } from './job-states.js';

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
        jobStopped: (jobId) => heard.push(`stopped ${jobId}`),
        jobResumed: (jobId) => heard.push(`resumed ${jobId}`),
        jobRetuned: (jobId, bandwidth) => heard.push(`retuned ${jobId} ${bandwidth}`),
      },
    );
  });

  it('looks an unknown job up once, however many ask', async () => {
    log.set('job.a', commit(7, 'a', 'JobStopped'));
    const answers = await Promise.all([jobs.statusOf('a'), jobs.statusOf('a'), jobs.statusOf('b')]);
    expect(answers.map(({ running }) => running)).toEqual([false, false, true]);
    expect(lookups).toEqual(['job.a', 'job.b']);
    await jobs.statusOf('b');
    expect(lookups).toHaveLength(2);
  });

  it('follows the log: stop, resume, retune, finish', async () => {
    jobs.evolve(commit(1, 'a', 'JobAssumed', { owner: 'c', epoch: 2 }));
    jobs.evolve(commit(2, 'a', 'JobStopped'));
    jobs.evolve(commit(3, 'a', 'JobResumed', { bandwidth: 5 }));
    expect(await jobs.statusOf('a')).toEqual({ running: true, epoch: 2, bandwidth: 5, sequence: 3 });
    jobs.evolve(commit(4, 'a', 'JobRetuned', { bandwidth: 9 }));
    jobs.evolve(commit(5, 'a', 'JobFinished', {}));
    jobs.evolve(commit(6, 'a', 'JobFinished', {}));
    expect(heard).toEqual(['stopped a', 'resumed a', 'retuned a 5', 'retuned a 9', 'stopped a']);
    expect(lookups).toEqual([]);
  });

  it('does not take a job for stopped whose resumption it has yet to hear of', async () => {
    jobs.evolve(commit(2, 'a', 'JobStopped'));
    log.set('job.a', commit(2, 'a', 'JobStopped'));
    expect((await jobs.statusOf('a')).running).toBe(false);
    log.set('job.a', commit(4, 'a', 'BatchesDispatched', { epoch: 1, reason: 'resumed', batches: [] }));
    expect((await jobs.statusOf('a')).running).toBe(true);
    jobs.evolve(commit(3, 'a', 'JobResumed', { bandwidth: 5 }));
    jobs.evolve(commit(5, 'a', 'JobStopped'));
    expect(heard).toEqual(['stopped a', 'resumed a', 'retuned a 5', 'stopped a']);
  });

  it('believes what the log has said since over what a slow look-up finds', async () => {
    log.set('job.a', commit(1, 'a', 'JobAssumed', { owner: 'c', epoch: 1 }));
    const asked = jobs.statusOf('a');
    jobs.evolve(commit(2, 'a', 'JobStopped'));
    expect((await asked).running).toBe(false);
  });

  it('forgets jobs that ended, so that its memory is bounded', async () => {
    for (let i = 0; i <= 10_000; i++) jobs.evolve(commit(i + 1, `j${i}`, 'JobFinished', {}));
    expect(jobs.known('j0')).toBeUndefined();
    expect(jobs.known('j10000')).toBeDefined();
    log.set('job.j0', commit(1, 'j0', 'JobFinished', {}));
    expect((await jobs.statusOf('j0')).running).toBe(false);
  });
});
