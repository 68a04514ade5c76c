import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { namespaceView, resolveUfsPath } from '#contexts/namespace';
import { fileFilter, loadTarget, minimalRoots, type LoadSpec } from '#job-kinds';
import { DomainError } from '#kernel';
import { CONFIG, missingParameters, Views, type LarderConfig } from '#runtime';
import type { LoadOptionsDto, SubmitLoadDto } from './load.dto.js';

/** A specification stands in one event at the start and once more at the end of a job. */
const maxSpecBytes = 400 * 1024;

export interface AcceptedLoad {
  alias: string;
  spec: LoadSpec;
  target: string;
  sync: boolean;
}

/** Makes a load job's specification of what a user sent. */
@Injectable()
export class LoadRequests {
  constructor(
    private readonly views: Views,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  /** @throws DomainError Malformed, naming the field and what was expected */
  async accept(dto: SubmitLoadDto): Promise<AcceptedLoad> {
    const paths = dto.paths ?? [];
    const index = dto.index ?? '';
    if (paths.length === 0 && index === '') throw missingParameters();
    if (paths.length > 0 && index !== '') {
      throw new DomainError('Malformed', 'paths-and-index', 'give either paths or index, not both');
    }
    const roots = minimalRoots(await Promise.all(paths.map((path, i) => this.resolve(path, `paths[${i}]`))));
    const indexPath = index === '' ? '' : await this.resolve(index, 'index');
    if (indexPath.endsWith('/')) {
      throw new DomainError('Malformed', 'index-is-directory', `index must name a file, not a directory: ${index}`);
    }
    const spec: LoadSpec = { paths, index, roots, indexPath, options: this.options(dto.options ?? {}) };
    if (Buffer.byteLength(JSON.stringify(spec)) > maxSpecBytes) {
      throw new DomainError('Malformed', 'too-many-paths', 'paths is too long; write the paths into an index file', {
        httpStatus: 413,
      });
    }
    const alias = dto.alias || `load-${randomUUID()}`;
    return { alias, spec, target: loadTarget(spec), sync: dto.options?.sync ?? false };
  }

  async indexTarget(index: string): Promise<string> {
    return loadTarget({ roots: [], indexPath: await this.resolve(index, 'index') });
  }

  /** A mount that another replica has just made must not be missed. */
  private async resolve(path: string, field: string): Promise<string> {
    const resolve = () => resolveUfsPath(this.views.get(namespaceView).state, path, field);
    try {
      return resolve();
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'not-mounted') throw error;
      await this.views.caughtUp();
      return resolve();
    }
  }

  private options(dto: LoadOptionsDto): LoadSpec['options'] {
    const fileFilterRegex = dto.fileFilterRegex || dto.fileFilterRegx || '';
    fileFilter(fileFilterRegex);
    return {
      batchSize: dto.batchSize || this.config.batchSize,
      fileFilterRegex,
      replicas: dto.replicas || 1,
      skipIfExists: dto.skipIfExists ?? false,
      loadMetadataOnly: dto.loadMetadataOnly ?? false,
      verify: dto.verify ?? false,
      bandwidth: dto.bandwidth ?? 0,
    };
  }
}
