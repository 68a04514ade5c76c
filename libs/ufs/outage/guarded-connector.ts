import {
  UfsError,
  type ContentHash,
  type UfsConnector,
  type UfsListOptions,
  type UfsListPage,
  type UfsObject,
  type UfsRead,
  type UfsReadOptions,
  type UfsWholeReadOptions,
} from '../types.js';
import { CircuitBreaker } from './circuit-breaker.js';
import type { Canary } from './circuit-breaker.types.js';
import type { OutagePolicy, StoreOutage } from './outage-policy.js';

/** A store may be well for one of these and not for another. */
type Verb = 'list' | 'head' | 'get';

/**
 * A listing is one long request without alternatives: when its pages fail and the first entry of the mount can still be
 * listed, that proves little. A store that slows us down is waited for. A broken listing is waited for some seconds.
 */
const listGraceMs = { store: Infinity, unclear: 10_000 };

/** The connector of one mount with a circuit breaker for each verb. All requests of the mount share the three. */
export class GuardedConnector implements UfsConnector {
  private readonly breakers: Record<Verb, CircuitBreaker>;
  /** For each verb, the object that the store gave last. It is requested again when the store is in doubt. */
  private readonly good: Partial<Record<Verb, string>> = {};
  /** Functions that end the running requests. */
  private readonly pending = new Set<(error: UfsError) => void>();
  private gone: UfsError | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly inner: UfsConnector,
    private readonly ufs: string,
    policy: OutagePolicy,
  ) {
    this.breakers = {
      list: new CircuitBreaker(ufs, policy, this.canary('list'), listGraceMs),
      head: new CircuitBreaker(ufs, policy, this.canary('head')),
      get: new CircuitBreaker(ufs, policy, this.canary('get')),
    };
  }

  get readsParts(): boolean {
    return this.inner.readsParts;
  }

  list(path: string, options?: UfsListOptions): Promise<UfsListPage> {
    return this.run('list', path, () => this.inner.list(path, options));
  }

  stat(path: string, signal?: AbortSignal): Promise<UfsObject> {
    return this.run('head', path, () => this.inner.stat(path, signal));
  }

  exists(path: string, signal?: AbortSignal): Promise<boolean> {
    return this.run('list', path, () => this.inner.exists(path, signal));
  }

  open(path: string, options?: UfsReadOptions): Promise<UfsRead> {
    return this.run('get', path, () => this.inner.open(path, options));
  }

  read(path: string, options: UfsWholeReadOptions): Promise<{ object: UfsObject; bytes: Buffer }> {
    return this.run('get', path, () => this.inner.read(path, options));
  }

  async openLocal(path: string, options?: Pick<UfsReadOptions, 'expectedVersion' | 'signal'>) {
    if (this.inner.openLocal === undefined) return undefined;
    return await this.run('get', path, async () => this.inner.openLocal?.(path, options));
  }

  contentHash(object: UfsObject, signal?: AbortSignal): Promise<ContentHash | undefined> {
    return this.run('head', object.path, () => this.inner.contentHash(object, signal));
  }

  async close(): Promise<void> {
    await (this.closing ??= this.inner.close());
  }

  /** The outage that is waited for, the longest first; undefined while all is well. */
  status(): StoreOutage | undefined {
    const outages = Object.values(this.breakers).flatMap((breaker) => breaker.status() ?? []);
    return outages.sort((a, b) => a.sinceMs - b.sinceMs)[0];
  }

  /** The mount has other options now: all waiters get the new connector. */
  supersede(): void {
    for (const breaker of Object.values(this.breakers)) breaker.supersede();
  }

  /** The mount is gone: running requests and waiters end at once, with UfsError `Outside`. */
  async abandon(): Promise<void> {
    this.gone = new UfsError('Outside', this.ufs, `no mount covers ${this.ufs} any more`);
    for (const breaker of Object.values(this.breakers)) breaker.close(this.gone);
    for (const end of [...this.pending]) end(this.gone);
    await this.close();
  }

  private async run<T>(verb: Verb, path: string, request: () => Promise<T>): Promise<T> {
    const breaker = this.breakers[verb];
    const passage = breaker.enter();
    if (!passage) throw breaker.heldBack(path);
    try {
      const value = await this.unlessGone(request);
      breaker.succeeded(passage, path);
      this.good[verb] = path;
      return value;
    } catch (error) {
      if (this.gone) throw this.gone;
      if (error instanceof UfsError) throw breaker.failed(passage, path, error);
      // A bug in Larder: the store is not at fault.
      breaker.succeeded(passage, path);
      throw error;
    }
  }

  /** Not a race with one long-lived promise: that would keep every request of the mount in memory. */
  private unlessGone<T>(request: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => void this.pending.delete(reject);
      this.pending.add(reject);
      request().then(
        (value) => (settle(), resolve(value)),
        (error: unknown) => (settle(), reject(error as Error)),
      );
    });
  }

  /** The object that the same verb gave last; where there was none yet, the first entry of the mount. */
  private canary(verb: Verb): Canary {
    const known = () => (verb === 'list' ? undefined : this.good[verb]);
    return {
      speaksForVerb: () => verb === 'list' || known() !== undefined,
      ask: () => this.unlessGone(() => this.askFor(verb, known())),
    };
  }

  private async askFor(verb: Verb, path: string | undefined): Promise<void> {
    if (path === undefined) await this.inner.list(this.ufs, { limit: 1 });
    else if (verb === 'head') await this.inner.stat(path);
    else await this.inner.read(path, { start: 0, end: 0, maxBytes: 1 });
  }
}
