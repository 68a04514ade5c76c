import { Injectable } from '@nestjs/common';
import { mountOfUfsPath, namespaceView, normalizeUfsPath, resolveUfsPath, storeOfMount } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { missingParameters, Views } from '#runtime';
import { splitRoots } from '../kinds/index.js';
import type { PathsDto } from './job.dto.js';

/** A specification must fit into one event twice: at the start of a job, and at its end. */
const maxSpecBytes = 400 * 1024;
/** Short, because the job must still be submitted within the time of the request. */
const lookAgainMs = 2_000;

export interface ResolvedPaths {
  paths: string[];
  index: string;
  roots: string[];
  /** Paths of the request that lie within a root, and are worked on with it. */
  covered: string[];
  indexPath: string;
}

/** What jobs on paths have in common: exactly one of `paths` and `index`, resolved to UFS paths. */
@Injectable()
export class PathRequests {
  constructor(private readonly views: Views) {}

  /**
   * @param reach how far below a directory the job goes
   * @param alsoUnmounted whether UFS paths are taken that no mount covers
   * @throws DomainError Malformed, naming the field and what was expected
   */
  async accept(
    dto: PathsDto,
    reach: Parameters<typeof splitRoots>[1],
    { alsoUnmounted = false } = {},
  ): Promise<ResolvedPaths> {
    const paths = dto.paths ?? [];
    const index = dto.index ?? '';
    if (paths.length === 0 && index === '') throw missingParameters();
    if (paths.length > 0 && index !== '') {
      throw new DomainError('Malformed', 'paths-and-index', 'give either paths or index, not both');
    }
    const asked = await Promise.all(
      paths.map(async (path, i) => {
        const field = `paths[${i}]`;
        const isUfsPath = alsoUnmounted && !path.startsWith('/');
        return isUfsPath ? normalizeUfsPath(path, field) : this.resolve(path, field);
      }),
    );
    const { roots, covered } = splitRoots(asked, reach);
    const indexPath = index === '' ? '' : await this.resolve(index, 'index');
    if (indexPath.endsWith('/')) {
      throw new DomainError('Malformed', 'index-is-directory', `index must name a file, not a directory: ${index}`);
    }
    const resolved = { paths, index, roots, covered, indexPath };
    if (Buffer.byteLength(JSON.stringify(resolved)) > maxSpecBytes) {
      throw new DomainError('Malformed', 'too-many-paths', 'paths is too long; write the paths into an index file', {
        httpStatus: 413,
      });
    }
    return resolved;
  }

  /** The stores that are mounted at these UFS paths, by the UFS root of each mount. */
  storesOf(ufsPaths: readonly string[]): Record<string, string> {
    const { state } = this.views.get(namespaceView);
    const mounts = ufsPaths.flatMap((path) => mountOfUfsPath(state, path) ?? []);
    return Object.fromEntries(mounts.map((mount) => [mount.ufs, storeOfMount(mount)]));
  }

  /** The UFS path for what a user wrote. It also finds a mount that another coordinator has just made. */
  async resolve(path: string, field: string): Promise<string> {
    const resolve = () => resolveUfsPath(this.views.get(namespaceView).state, path, field);
    try {
      return resolve();
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'not-mounted') throw error;
      await this.views.caughtUp(lookAgainMs);
      return resolve();
    }
  }
}
