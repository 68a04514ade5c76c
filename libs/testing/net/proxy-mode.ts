/** `forth`: from the one that connected to the target; `back`: from the target. */
export type Direction = 'forth' | 'back';

/** What the proxy does to what passes through it; may be changed at any time. */
export type ProxyMode =
  | { readonly kind: 'pass' }
  /** Resets the connections there are and those that come. */
  | { readonly kind: 'cut' }
  /** Accepts connections and keeps them, swallowing what is sent: in one direction only if one is named. */
  | { readonly kind: 'blackhole'; readonly direction?: Direction }
  /** Each piece comes so much later, and up to `jitterMs` on top of that; order is kept. */
  | { readonly kind: 'latency'; readonly latencyMs: number; readonly jitterMs?: number }
  /** For each connection and direction. */
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Pieces of 1 to so many bytes, each in a segment of its own. */
  | { readonly kind: 'slice'; readonly maxBytes: number }
  /** Resets each connection, new or not, once so many bytes have come back over it since the mode was set. */
  | { readonly kind: 'truncate'; readonly afterBytes: number };
