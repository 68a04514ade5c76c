import { Inject, Injectable } from '@nestjs/common';
import { fileFilter, freeTarget, loadTarget, type FreeSpec, type LoadSpec } from '#job-kinds';
import { CONFIG, type LarderConfig } from '#runtime';
import type { SubmitFreeDto } from './free.dto.js';
import type { Submission } from './job-submissions.js';
import type { LoadOptionsDto, SubmitLoadDto } from './load.dto.js';
import { PathRequests } from './path-requests.js';

export interface AcceptedJob {
  submission: Submission;
  /** Whether the answer is to wait for the job's end. */
  sync: boolean;
}

/** Makes the specifications of load and free jobs of what users sent. */
@Injectable()
export class PathJobRequests {
  constructor(
    private readonly paths: PathRequests,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  /** @throws DomainError Malformed, naming the field and what was expected */
  async load(dto: SubmitLoadDto): Promise<AcceptedJob> {
    const paths = await this.paths.accept(dto, 'tree');
    const stores = this.paths.storesOf([
      ...paths.roots,
      ...paths.covered,
      ...(paths.indexPath ? [paths.indexPath] : []),
    ]);
    const spec: LoadSpec = { ...paths, stores, options: this.loadOptions(dto.options ?? {}) };
    const submission = { kind: 'load', target: loadTarget(spec), alias: dto.alias, spec };
    return { submission, sync: dto.options?.sync ?? false };
  }

  /** @throws DomainError Malformed, naming the field and what was expected */
  async free(dto: SubmitFreeDto): Promise<AcceptedJob> {
    const { batchSize, recursive, unmounted = false, sync } = dto.options ?? {};
    const chosen = { batchSize: batchSize || this.config.batchSize, recursive: recursive ?? true };
    const options = unmounted ? { ...chosen, unmounted } : chosen;
    // What is covered goes with what covers it. That a path is not there, or not mounted, is no fault: it is what a free
    // is for.
    const reach = options.recursive ? 'tree' : 'children';
    const { covered: _covered, ...paths } = await this.paths.accept(dto, reach, { alsoUnmounted: true });
    const spec: FreeSpec = { ...paths, options };
    return { submission: { kind: 'free', target: freeTarget(spec), alias: dto.alias, spec }, sync: sync ?? false };
  }

  async indexTarget(index: string): Promise<string> {
    return loadTarget({ roots: [], indexPath: await this.paths.resolve(index, 'index') });
  }

  private loadOptions(dto: LoadOptionsDto): LoadSpec['options'] {
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
