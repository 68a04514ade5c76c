import { setImmediate } from 'node:timers/promises';
import { Body, Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CacheEntry, CacheStore } from '#cache-store';
import type { ClusterMembers } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import { missingParameters } from '#runtime';
import type { ClusterView } from '../agent/log/cluster-view.js';
import type { CopyRemover } from '../copies/copy-remover.js';
import { cacheToken, removerToken, viewToken } from '../tokens.js';
import { integerParameter, queryParameter } from './object-path.js';
import { bodyOf } from './request-body.js';

const lookupSchema = z.object({
  paths: z.array(z.string()).max(10_000),
  /** Only copies for which this worker vouches, by a membership as of this log sequence or later. */
  asOwner: z.number().int().nonnegative().optional(),
  /** By a mount table as of this log sequence or later. */
  namespace: z.number().int().nonnegative().default(0),
});

export interface ListedEntry {
  path: string;
  /** The store that the copy is of. */
  store: string;
  sizeBytes: number;
  version: string;
  replicas: number;
  loadedAtMs: number;
  /** Of the content; absent for metadata. */
  crc32?: number;
  metadataOnly?: true;
}

const maxEntries = 1000;
/** Entries looked at for one request, whether they match or not. */
const maxExamined = 20_000;
const lookupsAtOnce = 500;
const logTimeoutMs = 5000;

/** The copies of mounted paths that this worker holds, for coordinators and peers. */
@Controller('v1')
export class CopiesController {
  constructor(
    @Inject(cacheToken) private readonly cache: CacheStore,
    @Inject(viewToken) private readonly view: ClusterView,
    @Inject(removerToken) private readonly remover: CopyRemover,
  ) {}

  /**
   * Size, version and store of the copies with bytes at these paths, in the order of the paths; null where there is
   * none.
   */
  @Post('lookup')
  @HttpCode(200)
  async lookup(@Body() body: unknown): Promise<{ entries: ([number, string] | null)[]; stores: (string | null)[] }> {
    const { paths, asOwner, namespace } = bodyOf(lookupSchema, body);
    this.view.requireNamespace();
    if (!(await this.view.namespaceAt(namespace, logTimeoutMs))) throw notCaughtUp(namespace);
    const accepts = asOwner === undefined ? undefined : await this.vouching(asOwner);
    const entries: ([number, string] | null)[] = [];
    const stores: (string | null)[] = [];
    for (const path of paths) {
      if (entries.length > 0 && entries.length % lookupsAtOnce === 0) await setImmediate();
      const entry = this.cache.get(path);
      const counts = entry && !entry.metadataOnly && (accepts?.(entry) ?? true);
      entries.push(counts ? [entry.sizeBytes, entry.version] : null);
      stores.push((counts && this.view.storeOf(path)) || null);
    }
    return { entries, stores };
  }

  /**
   * A page of this worker's entries that the ring gives to `owner`. A page without entries but with `next` may have
   * more behind it.
   */
  @Get('entries')
  async entries(@Req() { raw: { url = '' } }: FastifyRequest): Promise<{ entries: ListedEntry[]; next?: string }> {
    const owner = queryParameter(url, 'owner');
    if (owner === undefined) throw missingParameters();
    const after = queryParameter(url, 'after');
    const limit = integerParameter(url, 'limit', { min: 1, max: maxEntries, byDefault: maxEntries });
    const sequence = integerParameter(url, 'membership', { min: 0, max: Number.MAX_SAFE_INTEGER, byDefault: 0 });
    this.view.requireNamespace();
    const { ring } = await this.membersAt(sequence);
    const entries: ListedEntry[] = [];
    let examined = 0;
    for (const entry of this.cache.entries('', after === undefined ? {} : { after })) {
      const isOwners = ring.owners(entry.path, entry.replicas).includes(owner);
      const store = this.view.storeOf(entry.path);
      if (isOwners && store !== undefined) entries.push(listed(entry, store));
      if (++examined >= maxExamined || entries.length >= limit) return { entries, next: entry.path };
      if (examined % lookupsAtOnce === 0) await setImmediate();
    }
    return { entries };
  }

  /** Checks the membership again for each entry: it may change while other tasks run. */
  private async vouching(sequence: number): Promise<(entry: CacheEntry) => boolean> {
    await this.membersAt(sequence);
    return ({ path, replicas }) => this.view.owns(path, replicas) && !this.remover.isLeaving(path);
  }

  private async membersAt(sequence: number): Promise<ClusterMembers> {
    const members = await this.view.membersAt(sequence, logTimeoutMs);
    if (members) return members;
    throw notCaughtUp(sequence);
  }
}

function notCaughtUp(sequence: number): DomainError {
  return new DomainError('Unavailable', 'not-caught-up', `this worker has not yet read the log up to ${sequence}`);
}

function listed(entry: CacheEntry, store: string): ListedEntry {
  const { path, sizeBytes, version, replicas, loadedAtMs, crc32, metadataOnly } = entry;
  return { path, store, sizeBytes, version, replicas, loadedAtMs, ...(metadataOnly ? { metadataOnly } : { crc32 }) };
}
