import fc from 'fast-check';
import { DomainError } from '#kernel';
import { Names, streamConfigs } from '../index.js';

/** Jest's own type for this is `any`. */
const matching = (fields: Record<string, unknown>) => expect.objectContaining(fields) as Error;

describe('Names', () => {
  const names = new Names('blue-1');

  it('begin with the cluster, so that two clusters can share a NATS', () => {
    const other = new Names('blue');
    const all = (one: Names) => streamConfigs(one, 1).flatMap((config) => [config.name, ...config.subjects!]);
    expect(all(names).filter((name) => all(other).includes(name))).toEqual([]);
    expect(names.eventSubject('job.7')).toBe('blue-1.evt.job.7');
    expect(names.workSubject('worker-1', 'job-2')).toBe('blue-1.work.worker-1.job-2');
    expect(names.workOfJob('job-2')).toBe('blue-1.work.*.job-2');
    expect(names.workerHeartbeat('w')).toBe('blue-1.heartbeat.worker.w');
  });

  it('give the boundary of a subject', () => {
    const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
    fc.assert(
      fc.property(fc.array(token, { minLength: 1, maxLength: 4 }), (tokens) => {
        const boundary = tokens.join('.');
        expect(names.boundaryOf(names.eventSubject(boundary))).toBe(boundary);
      }),
    );
    expect(() => names.boundaryOf('red.evt.job.7')).toThrow(DomainError);
  });

  it.each(['', 'job.', 'job..1', 'job.*', 'job.>', 'job.a b', 'job.é', '.'])('refuse the boundary "%s"', (boundary) => {
    expect(() => names.eventSubject(boundary)).toThrow(matching({ code: 'invalid-subject-token' }));
  });

  it('accept wildcards in a filter, and ">" only at its end', () => {
    expect(names.eventFilter('batch.7.*')).toBe('blue-1.evt.batch.7.*');
    expect(names.eventFilter('>')).toBe('blue-1.evt.>');
    expect(() => names.eventFilter('>.a')).toThrow(DomainError);
  });

  it.each(['', 'Blue', 'a.b', 'a b', 'x'.repeat(33)])('refuse the cluster name "%s"', (cluster) => {
    expect(() => new Names(cluster)).toThrow(matching({ code: 'invalid-cluster-name' }));
  });
});
