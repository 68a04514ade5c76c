import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { htmlPage, type Document } from '../index.js';

/** Injection token for the `Document` that is served. */
export const API_DOCUMENT = Symbol('api-document');

/** `/api/v1/openapi.json` and `/api/v1/docs`: the API document, for programs and for people. */
@Controller()
export class ApiDocsController {
  private readonly json: string;
  private readonly page: string;

  constructor(@Inject(API_DOCUMENT) document: Document) {
    this.json = JSON.stringify(document);
    this.page = htmlPage(document);
  }

  @Get('openapi.json')
  async openApi(@Res() reply: FastifyReply): Promise<void> {
    await reply.header('content-type', 'application/json; charset=utf-8').send(this.json);
  }

  @Get('docs')
  async docs(@Res() reply: FastifyReply): Promise<void> {
    await reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
      .send(this.page);
  }
}
