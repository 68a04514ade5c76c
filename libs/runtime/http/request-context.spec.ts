import type { FastifyRequest } from 'fastify';
import { commandContext, identityOf, pageCount, queryText, refuseOwnNames } from './request-context.js';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['x', 'x'],
  [{ a: 'x' }, undefined],
])('%j is read as %j', (value, text) => {
  expect(queryText(value)).toBe(text);
});

it('a parameter given twice is refused, not ignored', () => {
  expect(() => queryText(['a', 'b'])).toThrow('a query parameter may be given once only: "a" and "b"');
});

it.each(['0', '-1', '1.5', 'x', '1e9', 'NaN', 'Infinity'])('%s is no page size', (value) => {
  expect(() => pageCount(value)).toThrow(/count must be a whole number/);
});

describe('the actor of a request', () => {
  const request = (headers: Record<string, string>) => ({ headers, ip: '192.0.2.1' }) as unknown as FastifyRequest;

  it('is the same each time, with the same request id', () => {
    const one = request({ 'x-larder-actor': 'alice' });
    expect(commandContext(one)).toMatchObject({ ...identityOf(one), actor: 'alice', source: '192.0.2.1' });
    expect(identityOf(one)).toBe(identityOf(one));
    expect(identityOf(request({})).requestId).not.toBe(identityOf(request({})).requestId);
  });

  it.each([
    ...['coordinator:admin', 'worker:1', 'Coordinator:admin', 'COORDINATOR', 'worker', 'operator:root', 'system:x'],
    ...['coordinator/admin', 'coordinator.x', 'larder', 'static-mount-table'],
  ])('cannot be %s: that name stands for Larder itself', (actor) => {
    expect(() => commandContext(request({ 'x-larder-actor': actor }))).toThrow(/^X-Larder-Actor must not begin with/);
  });

  it.each(['alice', 'team-a:alice', 'coordinators', 'co-worker', 'worker-bee', 'alice@coordinator:1', 'anonymous'])(
    'may be %s',
    (actor) => expect(() => refuseOwnNames({ actor, requestId: 'r' })).not.toThrow(),
  );
});
