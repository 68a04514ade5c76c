import fs from 'node:fs';
import path from 'node:path';
import { allEvents } from '#contexts/catalogue';
import { type Commit } from '#kernel';
import { jobIdOf, presentations, presentEvent } from './presenter.js';

/** The history of a released version: events as in a log. */
const history = fs
  .readFileSync(path.resolve('test/histories/v0.1.0.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Commit);

const canary = 'xCanaryz7Q4w9Larder';

it('the presenter has an entry for every event type, and for no other', () => {
  expect(Object.keys(presentations).sort()).toEqual(Object.keys(allEvents).sort());
});

it('every type is listed under its own scope', () => {
  for (const { boundary, events } of history) {
    for (const { type } of events) {
      expect(presentations[type as keyof typeof presentations].scope).toBe(boundary.split('.')[0]);
    }
  }
});

it('only the named fields of stored data are shown', () => {
  for (const commit of history) {
    const events = commit.events.map((event) => ({
      ...event,
      secret: canary,
      data: { ...(event.data as object), secret: canary, cursor: canary, digests: canary, mac: canary },
    }));
    for (const index of events.keys()) {
      const text = JSON.stringify(presentEvent({ ...commit, events }, index, 0));
      expect(text).not.toContain(canary);
      expect(text).not.toMatch(/ciphertext|"iv"|"tag"|workSequence/);
    }
  }
});

it('a sealed option is shown as ******, the others as they are', () => {
  const sealed = { keyId: 'k', iv: canary, ciphertext: canary, tag: canary };
  const data = { path: '/a/', ufs: 's3://b/', options: { secretKey: sealed, endpoint: { plain: 'http://x' } } };
  const event = { id: 'e', type: 'Mounted', v: 1, at: 'then', actor: 'alice', requestId: 'r', source: 'here', data };
  expect(presentEvent({ sequence: 7, boundary: 'namespace', events: [event] }, 0, 1000)).toEqual({
    ...{ sequence: 7, index: 0, id: 'e', type: 'Mounted', v: 1, kind: 'namespace', at: 'then' },
    ...{ recordedAt: '1970-01-01T00:00:01.000Z', actor: 'alice', source: 'here', requestId: 'r' },
    boundary: 'namespace',
    data: { path: '/a/', ufs: 's3://b/', options: { secretKey: '******', endpoint: 'http://x' } },
  });
});

it('no data is shown for a type without an entry', () => {
  for (const type of ['NeverHeardOf', 'constructor', '__proto__']) {
    const event = { id: 'e', type, v: 1, at: 'then', actor: 'a', requestId: 'r', data: { secret: canary } };
    const shown = presentEvent({ sequence: 1, boundary: 'new', events: [event] }, 0, 0);
    expect(shown).toMatchObject({ type, kind: 'new', data: {} });
    expect(shown).not.toHaveProperty('source');
  }
});

it('the presenter knows which job an event is about', () => {
  const of = (boundary: string, data: unknown) =>
    jobIdOf({ boundary }, { id: '', type: '', v: 1, at: '', actor: '', requestId: '', data });
  expect(of('job.j', {})).toBe('j');
  expect(of('batch.j.w', {})).toBe('j');
  expect(of('slot.load.h', { jobId: 'j' })).toBe('j');
  expect(of('quota', { jobId: 'j' })).toBe('j');
  expect(of('namespace', {})).toBeUndefined();
});
