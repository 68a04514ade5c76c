/**
 * Options for the `nats` package's `connect`. Unlike the servers' own tools it does not read credentials from the URL.
 */
export interface NatsCredentials {
  servers: string[];
  token?: string;
  user?: string;
  pass?: string;
  /** Present when a server is named with `tls://`. */
  tls?: Record<string, never>;
}

/**
 * Splits LARDER_NATS_URL (`nats://[token@ or user:password@]host:port[,…]`) into servers without credentials, which may
 * be logged, and the credentials of the first one that has any.
 */
export function parseNatsUrl(url: string): NatsCredentials {
  const parsed = url.split(',').map((server) => new URL(server));
  const servers = parsed.map((server) => `${server.hostname}:${server.port || '4222'}`);
  const tls = parsed.some((server) => server.protocol === 'tls:') ? { tls: {} } : {};
  const withCredentials = parsed.find((server) => server.username !== '');
  if (!withCredentials) return { servers, ...tls };
  const user = decodeURIComponent(withCredentials.username);
  const pass = decodeURIComponent(withCredentials.password);
  return pass === '' ? { servers, token: user, ...tls } : { servers, user, pass, ...tls };
}
