import { type Commit } from '#kernel';
import { barePath, boundaryFilters, isAtOrBelow, matches, type EventFilter } from './event-filter.js';

const recorded = { id: 'e-1', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'alice', requestId: 'r-1' };

function commitOf(boundary: string, type: string, data: unknown): Commit {
  return { sequence: 3, boundary, events: [{ ...recorded, type, data }] };
}

const counts = {};
const failures = [{ path: 's3://bucket/a/b', reason: 'gone', attempts: 1 }];
const settled = commitOf('batch.j-1.worker-1', 'BatchSettled', {
  ...{ jobId: 'j-1', batchId: 'l0-x', workerId: 'worker-1', epoch: 1, attempt: 1, counts, failures },
});
const quota = commitOf('namespace', 'QuotaSet', { path: '/a/b', quotaBytes: 1 });

const holds = (filter: EventFilter, commit: Commit) => matches(filter, commit, commit.events[0]);

it.each<[EventFilter, boolean, boolean]>([
  [{}, true, true],
  [{ scope: 'batch' }, true, false],
  [{ scope: 'job' }, false, false],
  [{ id: 'j-1' }, true, false],
  [{ id: 'worker-1' }, true, false],
  [{ id: 'batch' }, false, false],
  [{ id: 'e-1' }, true, true],
  [{ id: 'r-1' }, true, true],
  [{ types: ['QuotaSet', 'TtlSet'] }, false, true],
  [{ actor: 'alice' }, true, true],
  [{ actor: 'alic' }, false, false],
  [{ path: 's3://bucket/a' }, true, false],
  [{ path: 's3://bucket/a/b' }, true, false],
  [{ path: 's3://bucket/a/b/c' }, false, false],
  [{ path: '/a' }, false, true],
  [{ path: '' }, false, true],
  [{ path: '/a', types: ['TtlSet'] }, false, false],
])('%j: a report %s, a policy %s', (filter, ofReport, ofPolicy) => {
  expect([holds(filter, settled), holds(filter, quota)]).toEqual([ofReport, ofPolicy]);
});

it.each([
  ['/a/b', '/a/b/', true],
  ['/a/b', '/a/b0', false],
  ['/a/b', '/a', false],
  ['/a', '//a//b', true],
  ['', '/a', true],
  ['', 's3://bucket/a', false],
  ['s3://bucket', 's3a://bucket/a', true],
  ['s3://bucket/a', 's3://bucket/a//b', true],
  ['s3://bucket/a', 's3://bucket//a', false],
  ['file:///a', 'file:////a/b', true],
  ['file://', 'file:///a', true],
])('at or below %j lies %j: %s', (root, path, is) => {
  expect(isAtOrBelow(root, path)).toBe(is);
});

it('paths are compared in their canonical form', () => {
  expect(['/', '/a/', 's3a://b/', 's3://b/x/', 'file:///'].map(barePath)).toEqual([
    '',
    '/a',
    's3://b',
    's3://b/x',
    'file://',
  ]);
});

it.each<[EventFilter, string | undefined, string[]]>([
  [{}, undefined, ['>']],
  [{ scope: 'namespace' }, undefined, ['namespace']],
  [{ scope: 'job' }, undefined, ['job.>']],
  [{ types: ['Mounted', 'TtlSet'] }, undefined, ['namespace']],
  [{ types: ['BatchSettled'] }, undefined, ['batch.>']],
  [{ types: ['Mounted', 'BatchSettled'] }, undefined, ['>']],
  [{ jobKind: 'load', id: 'x' }, undefined, ['>']],
  [{ id: 'j' }, 'slot.load.h', ['slot.load.h', 'job.j', 'batch.j.*', 'quota']],
  [{ id: 'j', scope: 'batch' }, 'slot.load.h', ['batch.j.*']],
  [{ id: 'j', scope: 'namespace' }, 'slot.load.h', []],
])('%j of %s is looked for in %j', (filter, slot, boundaries) => {
  expect(boundaryFilters(filter, slot)).toEqual(boundaries);
});
