const listenersOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `listener` when the signal is aborted; not when it already is. For a signal with hundreds of listeners that come
 * and go: `addEventListener` compares a new one with each of the others.
 */
export function onAbort(signal: AbortSignal, listener: () => void): void {
  let listeners = listenersOf.get(signal);
  if (listeners === undefined) {
    listeners = new Set();
    listenersOf.set(signal, listeners);
    const own = listeners;
    const callAll = () => {
      for (const one of [...own]) if (own.delete(one)) one();
    };
    signal.addEventListener('abort', callAll, { once: true });
  }
  listeners.add(listener);
}

export function offAbort(signal: AbortSignal, listener: () => void): void {
  listenersOf.get(signal)?.delete(listener);
}
