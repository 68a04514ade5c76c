import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** How long a request's headers, and the whole request, may take to arrive. */
const headersTimeout = 10_000;
const requestTimeout = 30_000;
/** A body must arrive at this rate, once the grace time is over. */
const leastBytesPerSecond = 1024;
const graceMs = 5_000;
const lookEveryMs = 1_000;

/**
 * Options of `http.createServer`: a late request is noticed within a second; Larder itself answers a missing `Host`.
 */
export const httpLimits = {
  headersTimeout,
  requestTimeout,
  connectionsCheckingInterval: lookEveryMs,
  requireHostHeader: false,
} as const;

/**
 * Requires a minimum rate from a server's clients. It also gives the usual form of errors to an answer that Node would
 * send with an empty body. A client that is too slow triggers the server's `clientError` with the code of Node's own
 * timeouts.
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
      // It is this process that does not read on.
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
