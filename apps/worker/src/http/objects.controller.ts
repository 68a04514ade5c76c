import type { Readable } from 'node:stream';
import { Controller, Get, Head, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CacheStore } from '#cache-store';
import { DomainError } from '#kernel';
import type { ClusterView } from '../agent/log/cluster-view.js';
import type { PassiveCache } from '../passive/passive-cache.js';
import { cacheToken, passiveToken, viewToken } from '../tokens.js';
import { flagParameter, objectPath, queryParameter } from './object-path.js';
import { entityTag, ifRangeHolds, noneMatchHits, parseRange, type ByteRange } from './range.js';

/** An object that can be served, from any source. The caller must stream it or close it. */
interface Servable {
  sizeBytes: number;
  version: string;
  stream(span: ByteRange | undefined): Readable;
  close(): Promise<void> | void;
}

/**
 * The read path: objects byte for byte as the UFS had them under the version in `ETag`. Only paths that a mount covers
 * at the moment are served, cached or not. A copy that is cached here is served, also off the ring. The owner fetches a
 * missing object, and other workers redirect readers to the owner.
 */
@Controller('v1/objects')
export class ObjectsController {
  constructor(
    @Inject(cacheToken) private readonly cache: CacheStore,
    @Inject(passiveToken) private readonly passive: PassiveCache,
    @Inject(viewToken) private readonly view: ClusterView,
  ) {}

  @Get()
  get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve(request, reply);
  }

  @Head()
  head(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.serve(request, reply);
  }

  private async serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const url = request.raw.url ?? '';
    const path = objectPath(url);
    const redirects = flagParameter(url, 'redirect', true);
    const cachedOnly = flagParameter(url, 'cachedOnly', false);
    this.view.requireNamespace();
    // A peer means the store that it knows to be mounted at the path.
    const meant = queryParameter(url, 'store');
    const store = await this.view.readableStoreOf(path, meant);
    if (store === undefined) throw new DomainError('NotFound', 'not-mounted', `no mount covers this path: ${path}`);
    if (meant !== undefined && meant !== store)
      throw new DomainError('NotFound', 'other-store', `another store is mounted here than ${meant}: ${path}`);
    const cached = this.cached(path);
    if (cached) return answer(request, reply, cached);
    if (cachedOnly) throw this.absent(path);
    const better = redirects ? this.passive.betterWorker(path) : undefined;
    if (better !== undefined) return redirect(reply, better, path);
    return answer(request, reply, await this.missing(path, request.method === 'HEAD'));
  }

  private cached(path: string): Servable | undefined {
    const read = this.cache.read(path);
    if (!read) return undefined;
    const { sizeBytes, version } = read.entry;
    return { sizeBytes, version, stream: (span) => read.stream(span), close: () => read.close() };
  }

  /** @throws UfsError */
  private async missing(path: string, headersOnly: boolean): Promise<Servable> {
    if (headersOnly) return headersOf(await this.passive.stat(path));
    const { object, reader } = await this.passive.open(path);
    const { sizeBytes, version } = object;
    return {
      sizeBytes,
      version,
      stream: (span) => reader.stream(object, span?.start ?? 0, span ? span.end + 1 : sizeBytes),
      close: () => reader.leave(),
    };
  }

  private absent(path: string): DomainError {
    const entry = this.cache.get(path);
    const what = entry?.metadataOnly ? 'only its size and version are cached' : 'not cached by this worker';
    return new DomainError('NotFound', 'not-cached', `${what}: ${path}`);
  }
}

async function answer(request: FastifyRequest, reply: FastifyReply, object: Servable): Promise<void> {
  const { sizeBytes, version } = object;
  const tag = entityTag(version);
  void reply.header('etag', tag).header('accept-ranges', 'bytes');

  if (noneMatchHits(request.headers['if-none-match'], tag)) return end(reply, object, 304);
  const range = ifRangeHolds(request.headers['if-range'] as string | undefined, tag)
    ? parseRange(request.headers.range, sizeBytes)
    : 'whole';
  if (range === 'unsatisfiable') {
    await object.close();
    void reply.header('content-range', `bytes */${sizeBytes}`);
    throw new DomainError('Malformed', 'bad-range', `the range lies beyond the object's ${sizeBytes} bytes`, {
      httpStatus: 416,
    });
  }

  void reply.header('content-type', 'application/octet-stream');
  const span = range === 'whole' ? undefined : range;
  if (span) void reply.header('content-range', `bytes ${span.start}-${span.end}/${sizeBytes}`);
  void reply.header('content-length', String(span ? span.end - span.start + 1 : sizeBytes));
  const status = span ? 206 : 200;
  if (request.method === 'HEAD') return end(reply, object, status);
  void reply.code(status).send(object.stream(span));
}

async function end(reply: FastifyReply, object: Servable, status: number): Promise<void> {
  await object.close();
  void reply.code(status).send();
}

/** The other worker must not redirect in turn: when the two have different rings, the reader would go in circles. */
function redirect(reply: FastifyReply, address: string, path: string): void {
  const location = `http://${address}/v1/objects?path=${encodeURIComponent(path)}&redirect=false`;
  void reply
    .code(307)
    .header('location', location)
    .send({ status: `worker ${address} owns this object` });
}

/** For `HEAD`: no bytes are fetched. */
function headersOf({ sizeBytes, version }: { sizeBytes: number; version: string }): Servable {
  const stream = () => {
    throw new DomainError('Bug', 'no-body', 'the headers of an object have no bytes');
  };
  return { sizeBytes, version, stream, close: () => undefined };
}
