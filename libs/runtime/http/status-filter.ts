import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { httpStatusOf } from '../error-consequences.js';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Every error leaves as `{ "status": "<one sentence>" }`, or as the body the reference documents for it. */
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
      if (status >= 500) this.logger.error(`${request.method} ${request.url}: ${error.code}: ${error.message}`);
      if (status === 503) void reply.header('retry-after', '1');
      return { status, body: error.details.body ?? { status: error.message } };
    }
    const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown })?.statusCode;
    if (error instanceof HttpException && status === 404) return this.unknownRoute(request, reply);
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return { status, body: { status: clientFault(status, error as Error) } };
    }
    this.logger.error(`${request.method} ${request.url}`, error instanceof Error ? error.stack : String(error));
    return { status: 500, body: { status: 'internal error; the log of this process says more' } };
  }

  private unknownRoute(request: FastifyRequest, reply: FastifyReply): ReturnType<StatusFilter['answer']> {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    const url = request.url.split('?', 1)[0];
    const allowed = methods.filter((method) => fastify.findRoute({ method, url }) ?? fastify.hasRoute({ method, url }));
    if (allowed.length > 0) {
      void reply.header('allow', allowed.join(', '));
      return { status: 405, body: { status: `${request.method} is not allowed here; allowed: ${allowed.join(', ')}` } };
    }
    return { status: 404, body: { status: `no such route: ${request.method} ${url}` } };
  }
}

/** The framework's own refusals, said in our words where its words name its internals. */
function clientFault(status: number, error: Error): string {
  switch (status) {
    case 413:
      return 'the request body is too large; a long list of paths belongs into an index file';
    case 415:
      return 'the Content-Type must be application/json';
    default:
      return error.message;
  }
}
