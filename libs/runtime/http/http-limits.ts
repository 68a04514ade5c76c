import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** How long a request's headers, and all of the request, may take to arrive. */
const headersTimeout = 10_000;
const requestTimeout = 30_000;
/** A body must come at this pace from the second of these moments on. */
const leastBytesPerSecond = 1024;
const graceMs = 5_000;
const lookEveryMs = 1_000;

/** Options of `http.createServer`: what is late is noticed within a second, and a missing `Host` answered by us. */
export const httpLimits = {
  headersTimeout,
  requestTimeout,
  connectionsCheckingInterval: lookEveryMs,
  requireHostHeader: false,
} as const;

/**
 * Holds a server's clients to a pace, and answers in the one shape of all errors what Node would answer with an empty
 * body. Whoever is late gets the server's `clientError` with the code that Node's own timeouts have.
 */
export function limitRequests(server: Server): void {
  server.on('request', (request: IncomingMessage) => watchBody(server, request));
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = JSON.stringify({ status: 'the only Expect that is understood is 100-continue' });
    const headers = { 'content-type': 'application/json; charset=utf-8', connection: 'close' };
    response.writeHead(417, headers).end(body);
  });
}

function watchBody(server: Server, request: IncomingMessage): void {
  const { socket, headers } = request;
  if (headers['transfer-encoding'] === undefined && !Number(headers['content-length'])) return;
  let sinceMs = performance.now();
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete || socket.destroyed) return clearInterval(timer);
    if (request.readableLength > 0) {
      // It is we who do not read on.
      sinceMs = performance.now();
      before = socket.bytesRead;
    }
    const elapsedMs = performance.now() - sinceMs;
    if (elapsedMs < graceMs || (socket.bytesRead - before) * 1000 >= leastBytesPerSecond * elapsedMs) return;
    clearInterval(timer);
    const late = Object.assign(new Error('the body comes too slowly'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    server.emit('clientError', late, socket);
  }, lookEveryMs);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}
