import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { commandContext, featureGuard, pageCount, queryFlag, queryText, RequiredTexts } from '#runtime';
import type { FilesChangedAnswer } from './file-index.answers.js';
import { FileIndexService } from './file-index.service.js';

export class FilesDto {
  @RequiredTexts('UFS paths, or namespace paths of mounted files.', 10_000)
  files: string[];
}

/** `/api/v1/file_index`: the files that the cache holds. */
@Controller('file_index')
@UseGuards(featureGuard('fileIndex', 'Global file index is not enabled', 404))
export class FileIndexController {
  constructor(private readonly index: FileIndexService) {}

  /**
   * All entries, as a stream. With `count`: a page of them. With `lastKey`: the entries after that one. With
   * `unmounted`: the copies that no mount covers.
   */
  @Get()
  async list(@Query() query: Record<string, unknown>, @Res() reply: FastifyReply): Promise<void> {
    const count = pageCount(query.count);
    const entries = this.index.list(queryText(query.lastKey), queryFlag('unmounted', query.unmounted));
    // Before the first entry is sent, an error of a worker can still be answered with its own status.
    const first = await entries.next();
    const body = Readable.from(documentOf(first, entries, count));
    await reply.header('content-type', 'application/json; charset=utf-8').send(body);
  }

  @Post()
  @HttpCode(200)
  async add(@Body() { files }: FilesDto, @Req() request: FastifyRequest): Promise<FilesChangedAnswer> {
    return { entries: await this.index.add(files, commandContext(request)) };
  }

  @Delete()
  @HttpCode(200)
  async remove(@Body() { files }: FilesDto, @Req() request: FastifyRequest): Promise<FilesChangedAnswer> {
    return { entries: await this.index.remove(files, commandContext(request)) };
  }
}

/** `{"results":[…]}`, with `lastKey` if the client asked for a page. */
async function* documentOf(
  first: IteratorResult<string>,
  entries: AsyncGenerator<string>,
  count: number | undefined,
): AsyncGenerator<string> {
  yield '{"results":[';
  let written = 0;
  let last: string | undefined;
  for (let next = first; !next.done && written < (count ?? Infinity); written++) {
    last = next.value;
    yield `${written > 0 ? ',' : ''}${JSON.stringify(last)}`;
    if (written + 1 < (count ?? Infinity)) next = await entries.next();
  }
  await entries.return(undefined);
  yield count !== undefined && last !== undefined ? `],"lastKey":${JSON.stringify(last)}}` : ']}';
}
