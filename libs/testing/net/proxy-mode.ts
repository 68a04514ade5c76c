/** `forth`: from the client to the target; `back`: from the target to the client. */
export type Direction = 'forth' | 'back';

/** What the proxy does to the bytes that pass through it. It may be changed at any time. */
export type ProxyMode =
  | { readonly kind: 'pass' }
  /** Resets open connections and new ones. */
  | { readonly kind: 'cut' }
  /**
   * Accepts and keeps connections, and drops the bytes sent over them; in one direction only, if `direction` is set.
   */
  | { readonly kind: 'blackhole'; readonly direction?: Direction }
  /** Each piece comes `latencyMs` later, plus up to `jitterMs`. The order stays. */
  | { readonly kind: 'latency'; readonly latencyMs: number; readonly jitterMs?: number }
  /** The limit holds for each connection and direction separately. */
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Sends pieces of 1 to `maxBytes` bytes, each in a segment of its own. */
  | { readonly kind: 'slice'; readonly maxBytes: number }
  /** Resets each connection, new or not, once so many bytes have come back over it since the mode was set. */
  | { readonly kind: 'truncate'; readonly afterBytes: number };
