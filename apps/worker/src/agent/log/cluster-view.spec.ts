import { namespaceBoundary } from '#contexts/namespace';
import { ClusterView } from './cluster-view.js';

const object = 'file:///data/a';

describe('the store of an object that is being read', () => {
  let view: ClusterView;
  let sequence: number;

  beforeEach(() => {
    sequence = 0;
    view = new ClusterView('worker-1', { namespaceChanged: () => undefined });
    view.noteRead();
  });

  function mount(ufs: string): void {
    const event = {
      id: `e${++sequence}`,
      type: 'Mounted',
      v: 1,
      at: '2026-01-01T00:00:00.000Z',
      actor: 'a',
      requestId: 'r',
    };
    const data = { path: `/m${sequence}/`, ufs, options: {} };
    view.evolve({ sequence, boundary: namespaceBoundary.name, events: [{ ...event, source: 's', data }] });
  }

  it('comes from a mount in the log that arrives only after the request', async () => {
    view.catchUpBy(async () => {
      await Promise.resolve();
      mount('file:///data/');
    });
    expect(view.storeOf(object)).toBeUndefined();
    expect(await view.readableStoreOf(object)).toBe(view.storeOf(object));
    expect(view.storeOf(object)).toBeDefined();
  });

  it('is looked up in the log when a peer names one that this worker does not know', async () => {
    mount('file:///data/');
    let asked = 0;
    view.catchUpBy(() => Promise.resolve(asked++));
    const known = view.storeOf(object);
    expect(await view.readableStoreOf(object, known)).toBe(known);
    expect(asked).toBe(0);
    expect(await view.readableStoreOf(object, 'another')).toBe(known);
    expect(asked).toBe(1);
  });

  it('is the one already known when the log cannot be read to its end in time', async () => {
    expect(await view.readableStoreOf(object)).toBeUndefined();
    view.catchUpBy(() => Promise.reject(new Error('NATS is away')));
    expect(await view.readableStoreOf(object)).toBeUndefined();
    view.catchUpBy(() => new Promise(() => undefined));
    expect(await view.readableStoreOf(object)).toBeUndefined();
  });
});
