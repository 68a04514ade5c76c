import type { CacheStore } from '#cache-store';
import { ufsPolicies, type NamespaceState, type UfsPolicies } from '#contexts/namespace';
import { cachePolicies } from './cache-policies.js';

export interface Features {
  quota: boolean;
  ttl: boolean;
  priority: boolean;
}

/** Keeps the cache's policies equal to the namespace's, and knows how much is held below each quota. */
export class PolicyKeeper {
  private namespace: NamespaceState | undefined;
  private applied: UfsPolicies | undefined;
  /** The UFS paths of the quotas. */
  private quotaPaths: readonly string[] = [];
  private changed: (() => void) | undefined;
  private due: NodeJS.Immediate | undefined;

  constructor(
    private readonly cache: CacheStore,
    private readonly features: Features,
  ) {}

  /**
   * From now on the cache applies policies. Call this only when the log has been read: policies that were in force for
   * a while long ago must not affect what is cached now.
   * @param changed called after each change of the namespace, once for changes that come together
   */
  begin(changed: () => void): void {
    this.changed = changed;
    this.apply();
  }

  follow(namespace: NamespaceState): void {
    this.namespace = namespace;
    if (!this.changed) return;
    this.due ??= setImmediate(() => this.apply());
  }

  /** Bytes held below each quota, by its UFS path; undefined while quotas are switched off. */
  quotaUsage(): Record<string, number> | undefined {
    if (!this.features.quota) return undefined;
    return Object.fromEntries(this.quotaPaths.map((ufsPath) => [ufsPath, this.cache.usage(ufsPath).bytes]));
  }

  stop(): void {
    this.changed = undefined;
    clearImmediate(this.due);
  }

  private apply(): void {
    this.due = undefined;
    if (!this.namespace) return;
    const [before, now] = [this.applied, ufsPolicies(this.namespace)];
    this.applied = now;
    if (!now.quotas.equals(before?.quotas)) this.quotaPaths = [...now.quotas].map(({ ufsPath }) => ufsPath);
    // New policies cost the cache what it knows about the order of its copies: a quota alone changes none of it.
    if (!now.ttls.equals(before?.ttls) || !now.priorities.equals(before?.priorities)) {
      this.cache.setPolicies(cachePolicies(now, this.features));
    }
    this.changed?.();
  }
}
