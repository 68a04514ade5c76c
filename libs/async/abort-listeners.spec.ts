import { offAbort, onAbort } from './abort-listeners.js';

describe('listeners of an abort signal', () => {
  it('are each called once, when the signal is aborted', () => {
    const { signal, abort } = abortable();
    const called: string[] = [];
    onAbort(signal, () => called.push('a'));
    onAbort(signal, () => called.push('b'));
    expect(called).toEqual([]);
    abort();
    abort();
    expect(called).toEqual(['a', 'b']);
  });

  it('are not called after they were removed, also by another listener', () => {
    const { signal, abort } = abortable();
    const called: string[] = [];
    const early = () => called.push('early');
    const late = () => called.push('late');
    onAbort(signal, early);
    offAbort(signal, early);
    onAbort(signal, () => offAbort(signal, late));
    onAbort(signal, late);
    abort();
    expect(called).toEqual([]);
  });

  it('belong to their own signal', () => {
    const [one, other] = [abortable(), abortable()];
    const called: string[] = [];
    onAbort(one.signal, () => called.push('one'));
    onAbort(other.signal, () => called.push('other'));
    other.abort();
    expect(called).toEqual(['other']);
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
