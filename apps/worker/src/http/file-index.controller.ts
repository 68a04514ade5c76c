import { Body, Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CacheStore } from '#cache-store';
import { normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import type { UnmountedCopies } from '../stores/unmounted-copies.js';
import { cacheToken, fileIndexEnabledToken, unmountedToken } from '../tokens.js';
import { flagParameter, integerParameter, queryParameter } from './object-path.js';
import { bodyOf } from './request-body.js';

const pathsSchema = z.array(z.string()).max(10_000);
const requestSchema = z.object({ op: z.enum(['add', 'remove', 'has']), paths: pathsSchema });
const maxFiles = 10_000;

/** This worker's part of the global file index. */
@Controller('v1/file-index')
export class FileIndexController {
  constructor(
    @Inject(cacheToken) private readonly cache: CacheStore,
    @Inject(unmountedToken) private readonly unmounted: UnmountedCopies,
    @Inject(fileIndexEnabledToken) private readonly enabled: boolean,
  ) {}

  /** For each path whether it was really added or removed; or whether it is in the index. */
  @Post()
  @HttpCode(200)
  async change(@Body() body: unknown): Promise<{ changed: boolean[] } | { present: boolean[] }> {
    const { fileIndex } = this.index();
    const { op, paths } = bodyOf(requestSchema, body);
    const ufsPaths = paths.map((path, i) => normalizeUfsPath(path, `paths.${i}`));
    if (op === 'has') return { present: ufsPaths.map((path) => fileIndex.has(path)) };
    return { changed: op === 'add' ? await fileIndex.add(ufsPaths) : await fileIndex.remove(ufsPaths) };
  }

  /** In byte order, after `after`: the index, or with `unmounted` the copies that no mount covers. */
  @Get()
  list(@Req() { raw: { url = '' } }: FastifyRequest): { files: string[]; next?: string } {
    const { fileIndex } = this.index();
    const after = queryParameter(url, 'after');
    const limit = integerParameter(url, 'limit', { min: 1, max: maxFiles, byDefault: 1000 });
    const from = after === undefined ? {} : { after };
    const files = flagParameter(url, 'unmounted', false)
      ? Array.from(this.unmounted.entries('', { limit, ...from }), ({ path }) => path)
      : fileIndex.list({ limit, ...from });
    return files.length < limit ? { files } : { files, next: files.at(-1) };
  }

  private index(): Pick<CacheStore, 'fileIndex'> {
    if (!this.enabled) throw new DomainError('NotFound', 'file-index-off', 'the file index is switched off');
    return this.cache;
  }
}
