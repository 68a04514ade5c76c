import type { Socket } from 'node:net';
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** Options of Fastify: errors that it answers before there is a route, in the one shape that all errors have. */
export const unroutedErrors = { frameworkErrors: refuseUrl, clientErrorHandler: refuseBrokenHttp } as const;

function refuseUrl(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 400;
  const body = JSON.stringify({ status: badUrl[error.code] ?? error.message });
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
}

const badUrl: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'the URL is not valid: a % must start two hex digits',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the URL is too long',
};

/** What Node's HTTP parser refuses; see https://nodejs.org/api/http.html#event-clienterror */
function refuseBrokenHttp(error: ConnectionError, socket: Socket): void {
  // Nobody is left to read an answer.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const [status, text] = brokenHttp[error.code] ?? ['400 Bad Request', 'the request is not valid HTTP'];
  const body = JSON.stringify({ status: text });
  const headers = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\nConnection: close\r\n\r\n${body}`);
}

const brokenHttp: Readonly<Record<string, [status: string, text: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the URL or the headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
};
