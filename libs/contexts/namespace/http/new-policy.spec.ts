import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { apiDocument } from '#contexts/api-docs';
import { presentationOf } from '#contexts/audit';
import { allEvents } from '#contexts/catalogue';
import { fold, type Commit, type RecordedEvent } from '#kernel';
import { CommandHandler, CONFIG, Recorder, StatusFilter, validationPipe, Views } from '#runtime';
import { given } from '#testing';
import {
  namespace,
  namespaceBoundary,
  namespaceView,
  ufsPolicies,
  type NamespaceCommand,
  type NamespaceEvent,
  type NamespaceState,
  type PolicyTable,
} from '../index.js';
import { commonPolicyControllers } from './policy.controller.js';
import { PolicyRequests } from './policy-requests.js';

/** A new kind of policy needs a file and an entry in the list. This adds those of an invented kind. */
jest.mock('../policies/index.js', () => {
  const actual = jest.requireActual<{ policies: readonly object[] }>('../policies/index.js');
  const { pinPolicy } = jest.requireActual<{ pinPolicy: object }>('../policies/spec-support/pin.js');
  return { ...actual, policies: [...actual.policies, pinPolicy] };
});

const mounted: NamespaceEvent = { type: 'Mounted', data: { path: '/data/', ufs: 's3://bucket/', options: {} } };
// The compiler only knows the kinds in the real list.
const pinned = (path: string, copies: number) =>
  ({ type: 'PinSet', data: { path, copies } }) as unknown as NamespaceEvent;
const unpinned = (path: string) => ({ type: 'PinRemoved', data: { path } }) as unknown as NamespaceEvent;
const setPin = (path: string, copies: number) => ({ type: 'SetPin', path, copies }) as unknown as NamespaceCommand;
const pinsOf = ({ policies }: NamespaceState) => (policies as unknown as { pins: PolicyTable<number> }).pins.toJSON();

describe('a new kind of policy', () => {
  it('has events that the log accepts and the audit shows', () => {
    expect(allEvents.PinSet).toMatchObject({ v: 1, description: 'A directory got a pin, or another one.' });
    expect(allEvents.PinSet.schema.parse({ path: '/data', copies: 2 })).toEqual({ path: '/data', copies: 2 });
    expect(() => allEvents.PinSet.schema.parse({ path: '/data', copies: 'two' })).toThrow();
    expect(allEvents.PinRemoved.schema.parse({ path: '/data' })).toEqual({ path: '/data' });
    const shown = presentationOf('PinSet');
    const data = { path: '/data', copies: 2, more: 'hidden' };
    expect([shown.scope, shown.show(data, ''), shown.paths?.(data)]).toEqual([
      'namespace',
      { path: '/data', copies: 2 },
      ['/data'],
    ]);
  });

  it('is set and removed, only under a mount, and each only once', () => {
    given(namespace, [mounted])
      .when(setPin('/data/a', 2))
      .then([pinned('/data/a', 2)]);
    given(namespace, [mounted, pinned('/data/a', 2)])
      .when(setPin('/data/a', 2))
      .then([]);
    given(namespace, [mounted]).when(setPin('/other', 2)).thenRefused('not-mounted');
    const remove = { type: 'RemovePin', path: '/data/a' } as unknown as NamespaceCommand;
    given(namespace, [mounted, pinned('/data/a', 2)])
      .when(remove)
      .then([unpinned('/data/a')]);
    given(namespace, [mounted])
      .when(remove)
      .thenRefused('no-policy', /^No pin found for path: \/data\/a$/);
  });

  it('evolves, is looked up by UFS path, and goes with its mount', () => {
    const before = given(namespace, [mounted, pinned('/data/a', 2), pinned('/data/b', 3), unpinned('/data/b')]);
    expect(pinsOf(before.state)).toEqual({ '/data/a': 2 });
    const looked = ufsPolicies(before.state) as unknown as { pins: Iterable<unknown> };
    expect([...looked.pins]).toEqual([{ path: '/data/a', ufsPath: 's3://bucket/a', value: 2 }]);
    before
      .when({ type: 'Unmount', path: '/data/' })
      .then([{ type: 'Unmounted', data: { path: '/data/', ufs: 's3://bucket/' } }, unpinned('/data/a')]);
  });

  it('begins empty when a snapshot is older than the policy', () => {
    const { state } = given(namespace, [mounted, { type: 'TtlSet', data: { path: '/data', ttlSeconds: 9 } }]);
    const { quotas, ttls, priorities } = state.policies;
    const older = { sequence: 7, state: { ...state, policies: { quotas, ttls, priorities } } };
    const restored = namespaceView.fromSnapshot(JSON.parse(JSON.stringify(older)));
    expect(restored).toEqual({ sequence: 7, state });
    expect(pinsOf(fold(namespace, [pinned('/data', 1)], restored.state))).toEqual({ '/data': 1 });
  });

  it('is described in the API’s document', () => {
    const document = apiDocument([]);
    expect(Object.keys(document.paths['/api/v1/pin'])).toEqual(['get', 'post', 'delete']);
    const { post } = document.paths['/api/v1/pin'];
    expect(post).toMatchObject({ operationId: 'setPin', tags: ['pin'], summary: 'Add or update a pin' });
    expect(post?.requestBody?.content['application/json'].schema.properties).toHaveProperty('copies.minimum', 1);
    expect(post?.responses).not.toHaveProperty('501');
    expect(document.components.schemas).toHaveProperty('Pin.properties.copies');
    expect(document.tags).toContainEqual({ name: 'pin', description: 'Copies that are never evicted.' });
  });
});

describe('its route', () => {
  let app: NestFastifyApplication;
  const view = namespaceView.initial();
  const commit = (events: readonly RecordedEvent[]) => {
    const one: Commit = { sequence: view.sequence + 1, boundary: namespaceBoundary.name, events };
    namespaceView.evolve(view, one);
    return Promise.resolve({ sequence: one.sequence });
  };
  const recorder = new Recorder(allEvents);
  const reads = { waitFor: () => Promise.resolve(), caughtUp: () => Promise.resolve() };
  const handler = new CommandHandler(
    { append: (_boundary, _expected, events) => commit(events) },
    reads,
    recorder.record.bind(recorder),
  );
  const views = { get: () => view, find: (query: () => unknown) => Promise.resolve(query()) };

  beforeAll(async () => {
    const context = { at: new Date().toISOString(), actor: 'test', requestId: 'r-1' };
    await commit(recorder.record([mounted], context));
    @Module({
      controllers: [...commonPolicyControllers],
      providers: [
        PolicyRequests,
        { provide: Views, useValue: views },
        { provide: CommandHandler, useValue: handler },
        { provide: CONFIG, useValue: { ttl: true, priority: true } },
        { provide: APP_FILTER, useClass: StatusFilter },
        { provide: APP_PIPE, useFactory: validationPipe },
      ],
    })
    class PoliciesAlone {}
    app = await NestFactory.create<NestFastifyApplication>(PoliciesAlone, new FastifyAdapter(), { logger: false });
    await app.init();
  });
  afterAll(() => app.close());

  const ask = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const { statusCode, body } = await app.inject({ method, url, ...(payload && { payload }) });
    return [statusCode, JSON.parse(body) as unknown];
  };

  it('sets, shows, lists and removes, and names errors', async () => {
    expect(await ask('POST', '/pin', { path: '/data/a' })).toEqual([
      400,
      { status: 'Required parameters not provided' },
    ]);
    const bounds = `from 1 to ${Number.MAX_SAFE_INTEGER}`;
    const tooFew = { status: `copies must be a whole number of copies ${bounds}` };
    expect(await ask('POST', '/pin', { path: '/data/a', copies: 0 })).toEqual([400, tooFew]);
    expect(await ask('POST', '/pin', { path: '/data/a', copies: 2 })).toEqual([200, { status: 'ok' }]);
    expect(await ask('GET', '/pin?path=/data/a')).toEqual([200, { path: '/data/a', copies: 2 }]);
    expect(await ask('GET', '/pin')).toEqual([200, { results: [{ path: '/data/a', copies: 2 }] }]);
    expect(await ask('DELETE', '/pin', { path: '/data/a' })).toEqual([200, { status: 'ok' }]);
    const none = { status: 'No pin found for path: /data/a' };
    expect(await ask('GET', '/pin?path=/data/a')).toEqual([404, none]);
    expect(await ask('DELETE', '/pin', { path: '/data/a' })).toEqual([400, none]);
  });
});
