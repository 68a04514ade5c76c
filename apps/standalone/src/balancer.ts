import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { httpLimits, limitRequests, refuseBrokenHttp } from '#runtime';

/**
 * A round-robin balancer in front of coordinators on this machine, for use without a real balancer.
 *
 * Ready targets (`GET /readyz` answers 200) come before targets that only answer. When the log cannot be reached, no
 * target is ready, but all still answer reads. Each request has a connection of its own. It goes to the next target
 * only if the connection was refused, so before anything was sent: no request is ever sent twice.
 */
export interface Balancer {
  /** Accepts no more requests. Open ones have `graceMs` to end. */
  close(graceMs: number): Promise<void>;
}

export interface BalancerOptions {
  readonly host: string;
  readonly port: number;
  /** Base URLs. */
  readonly targets: readonly string[];
  /** Pause between two checks of a target. Default 500 ms. */
  readonly checkEveryMs?: number;
}

/** The environment variable with the options of the balancer's process. */
export const BALANCER_OPTIONS = 'BALANCER_OPTIONS';

interface Target {
  readonly url: URL;
  /** From best to worst: `ready`, `answering` (with any status), `silent`. */
  health: 'ready' | 'answering' | 'silent';
}

const checkTimeoutMs = 1_000;
/** Headers about one connection, not about the message; see RFC 9110, section 7.6.1. */
const hopByHop = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect'];

/** @throws Error of `listen` when the port is taken */
export async function startBalancer(options: BalancerOptions): Promise<Balancer> {
  const targets: Target[] = options.targets.map((url) => ({ url: new URL(url), health: 'silent' }));
  await Promise.all(targets.map(check));
  const checks = targets.map((target) => keepChecking(target, options.checkEveryMs ?? 500));
  let turn = 0;
  const server = http.createServer(httpLimits, (request, response) => {
    // Refused here: the forwarded request would get the coordinator's address as its Host, which the client did not
    // send.
    if (!request.headers.host && request.httpVersion !== '1.0') {
      return refuse(response, 400, 'the Host header is missing (RFC 9112, section 3.2)');
    }
    turn = (turn + 1) % targets.length;
    forward(request, response, inOrder(targets, turn));
  });
  // The same limits as in coordinators, because a slow client holds a connection here, too.
  limitRequests(server);
  server.on('clientError', refuseBrokenHttp);
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(options.port, options.host, () => listening());
  });
  return {
    close: async (graceMs) => {
      for (const stop of checks) stop();
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** All targets, the best first; round robin among targets of equal health. */
function inOrder(targets: readonly Target[], turn: number): Target[] {
  const rank = { ready: 0, answering: 1, silent: 2 };
  const rotated = [...targets.slice(turn), ...targets.slice(0, turn)];
  return rotated.sort((a, b) => rank[a.health] - rank[b.health]);
}

function keepChecking(target: Target, everyMs: number): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const again = () => {
    timer = setTimeout(() => void check(target).then(() => stopped || again()), everyMs);
  };
  again();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

async function check(target: Target): Promise<void> {
  try {
    const answer = await fetch(new URL('/readyz', target.url), { signal: AbortSignal.timeout(checkTimeoutMs) });
    await answer.arrayBuffer();
    target.health = answer.ok ? 'ready' : 'answering';
  } catch {
    // The target is not there, or it hangs.
    target.health = 'silent';
  }
}

function forward(request: IncomingMessage, response: ServerResponse, [target, ...others]: Target[]): void {
  if (target === undefined) {
    refuse(response, 503, 'no coordinator can be reached');
    return;
  }
  const { method, url: path } = request;
  const upstream = http.request(target.url, { method, path, agent: false, headers: forwardedHeaders(request) });
  let sent = false;
  upstream.on('socket', (socket) => {
    socket.once('connect', () => {
      sent = true;
      request.pipe(upstream);
    });
  });
  upstream.on('response', (answer) => {
    response.writeHead(
      answer.statusCode!,
      answer.statusMessage,
      withoutHopByHop(answer.headers, ['transfer-encoding']),
    );
    // Send the headers at once, because a stream of events may be silent for long.
    response.flushHeaders();
    answer.pipe(response);
    answer.on('close', () => answer.complete || response.destroy());
  });
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    target.health = 'silent';
    if (!sent && error.code === 'ECONNREFUSED') forward(request, response, others);
    else if (!response.headersSent) refuse(response, 502, `the coordinator did not answer: ${error.message}`);
    else response.destroy();
  });
  // The client has gone, or has the whole answer.
  response.once('close', () => upstream.destroy());
}

/** Replaces the headers in which the client says where it comes from: they are not trusted. */
function forwardedHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  return {
    ...withoutHopByHop(request.headers),
    'x-forwarded-for': request.socket.remoteAddress ?? '',
    'x-forwarded-proto': 'http',
    connection: 'close',
  };
}

function withoutHopByHop(headers: IncomingMessage['headers'], more: readonly string[] = []): OutgoingHttpHeaders {
  const named = headers.connection?.toLowerCase().split(/\s*,\s*/) ?? [];
  const dropped = new Set([...hopByHop, ...named, ...more]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' });
  response.end(JSON.stringify({ status: sentence }));
}
