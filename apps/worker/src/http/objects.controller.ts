import { Controller, Get, Head, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CacheEntry, CacheRead, CacheStore } from '#cache-store';
import { DomainError } from '#kernel';
import { cacheToken } from '../tokens.js';
import { objectPath } from './object-path.js';
import { entityTag, ifRangeHolds, noneMatchHits, parseRange } from './range.js';

/** The read path: cached objects, byte for byte as the UFS had them under the version in `ETag`. */
@Controller('v1/objects')
export class ObjectsController {
  constructor(@Inject(cacheToken) private readonly cache: CacheStore) {}

  @Get()
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve(request, reply);
  }

  @Head()
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve(request, reply);
  }

  private async serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const path = objectPath(request.raw.url ?? '');
    const read = this.cache.read(path);
    if (!read) throw this.absent(path);
    const { entry } = read;
    const tag = entityTag(entry.version);
    void reply.header('etag', tag).header('accept-ranges', 'bytes');

    if (noneMatchHits(request.headers['if-none-match'], tag)) return end(reply, read, 304);
    const range = ifRangeHolds(request.headers['if-range'] as string | undefined, tag)
      ? parseRange(request.headers.range, entry.sizeBytes)
      : 'whole';
    if (range === 'unsatisfiable') {
      await read.close();
      void reply.header('content-range', `bytes */${entry.sizeBytes}`);
      throw new DomainError('Malformed', 'bad-range', `the range lies beyond the object's ${entry.sizeBytes} bytes`, {
        httpStatus: 416,
      });
    }

    void reply.header('content-type', 'application/octet-stream');
    const span = range === 'whole' ? undefined : range;
    if (span) void reply.header('content-range', `bytes ${span.start}-${span.end}/${entry.sizeBytes}`);
    void reply.header('content-length', String(span ? span.end - span.start + 1 : entry.sizeBytes));
    const status = span ? 206 : 200;
    if (request.method === 'HEAD') return end(reply, read, status);
    void reply.code(status).send(read.stream(span));
  }

  private absent(path: string): DomainError {
    const entry: CacheEntry | undefined = this.cache.get(path);
    const what = entry?.metadataOnly ? 'only its size and version are cached' : 'not cached by this worker';
    return new DomainError('NotFound', 'not-cached', `${what}: ${path}`);
  }
}

async function end(reply: FastifyReply, read: CacheRead, status: number): Promise<void> {
  await read.close();
  void reply.code(status).send();
}
