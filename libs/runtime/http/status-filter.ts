import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { httpStatusOf } from '../error-consequences.js';
import { noteFault } from '../logging/request-lines.js';
import { identityOf } from './request-context.js';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Sends every error as `{ "status": "<one sentence>" }`, or as the body that the reference documents for it. */
@Catch()
export class StatusFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent) return;
    const { status, body } = this.answer(error, http.getRequest<FastifyRequest>(), reply);
    void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
  }

  private answer(
    error: unknown,
    request: FastifyRequest,
    reply: FastifyReply,
  ): { status: number; body: Record<string, unknown> } {
    if (error instanceof DomainError) {
      const status = httpStatusOf(error);
      // The sentence of a refusal may repeat parts of the request; other sentences are Larder's own.
      noteFault(request, error.code, status >= 500 ? error.message : undefined);
      const { retryAfterMs } = error.details;
      if (status === 503) void reply.header('retry-after', String(Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1000))));
      return { status, body: error.details.body ?? { status: error.message } };
    }
    const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown })?.statusCode;
    if (error instanceof HttpException && status === 404) return this.unknownRoute(request, reply);
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return { status, body: { status: clientFault(status, error as Error) } };
    }
    if (request.raw.readableAborted) {
      // The client broke off in the middle of its body: it will not read an answer.
      noteFault(request, 'client-gone');
      return { status: 499, body: { status: 'the client has gone' } };
    }
    noteFault(request, 'internal-error', 'internal error');
    this.logger.error(failure(error, request));
    return { status: 500, body: { status: 'internal error; the log of this process says more' } };
  }

  private unknownRoute(request: FastifyRequest, reply: FastifyReply): ReturnType<StatusFilter['answer']> {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    const [given] = request.url.split('?', 1);
    // The router ignores a final slash, too.
    const url = given.length > 1 ? given.replace(/(?<!\/)\/$/, '') : given;
    const allowed = methods.filter((method) => fastify.findRoute({ method, url }) ?? fastify.hasRoute({ method, url }));
    if (allowed.length > 0) {
      void reply.header('allow', allowed.join(', '));
      return { status: 405, body: { status: `${request.method} is not allowed here; allowed: ${allowed.join(', ')}` } };
    }
    return { status: 404, body: { status: `no such route: ${request.method} ${given}` } };
  }
}

/** Details for the person who has to fix it. */
function failure(error: unknown, request: FastifyRequest): Record<string, unknown> {
  const { requestId } = identityOf(request);
  const { method } = request;
  const err = error instanceof Error ? error : new Error(String(error));
  return { msg: `internal error: ${err.message}`, method, route: request.routeOptions.url, requestId, err };
}

/** The framework's own refusals, in other words where its own name internals. */
function clientFault(status: number, error: Error): string {
  switch (status) {
    case 413:
      return 'the request body is too large; a long list of paths belongs in an index file';
    case 415:
      return 'the Content-Type must be application/json';
    default:
      return error.message;
  }
}
