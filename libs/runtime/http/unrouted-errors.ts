import type { Socket } from 'node:net';
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { noteFault } from '../logging/request-lines.js';

/** Options of Fastify: errors before there is a route get the same form as all other errors. */
export const unroutedErrors = { frameworkErrors: refuseUrl, clientErrorHandler: refuseBrokenHttp } as const;

function refuseUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 400;
  const body = JSON.stringify({ status: badUrl[error.code] ?? error.message });
  noteFault(request, error.code);
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
}

const badUrl: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'the URL is not valid: a % must start two hex digits',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the URL is too long',
};

/** Time to read the answer, for a client that is still sending. */
const lastWordsMs = 1_000;

/** Errors of Node's HTTP parser, and its timeouts; see https://nodejs.org/api/http.html#event-clienterror */
export function refuseBrokenHttp(error: Pick<ConnectionError, 'code'>, socket: Socket): void {
  // The client has gone, or is in the middle of reading an answer.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  if (isAnswering(socket)) return void socket.destroy();
  const [status, text] = brokenHttp[error.code] ?? ['400 Bad Request', 'the request is not valid HTTP'];
  const body = JSON.stringify({ status: text });
  const headers = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\nConnection: close\r\n\r\n${body}`);
  // A client that neither reads nor closes would hold the connection for ever.
  setTimeout(() => socket.destroy(), lastWordsMs).unref();
}

/**
 * Whether an answer is being sent over this connection: Node keeps it there, see `socketOnError` of its http server.
 */
function isAnswering(socket: Socket): boolean {
  return (socket as Socket & { _httpMessage?: { headersSent: boolean } | null })._httpMessage?.headersSent === true;
}

const brokenHttp: Readonly<Record<string, [status: string, text: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the URL or the headers are too long'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'the chunk extensions of the request are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
};
