import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { listWorkers, membershipView, ringMembers } from '#contexts/membership';
import { WorkerClient } from '#contexts/membership/http';
import { namespaceView, normalizeUfsPath, resolveUfsPath } from '#contexts/namespace';
import { HashRing } from '#hash-ring';
import { EventStore } from '#jetstream';
import { DomainError, type CommandContext } from '#kernel';
import { Recorder, Views } from '#runtime';
import { fileIndexBoundary, mergeSorted } from '../index.js';

const presentSchema = z.object({ present: z.array(z.boolean()) });
const changedSchema = z.object({ changed: z.array(z.boolean()) });
const pageSchema = z.object({ files: z.array(z.string()), next: z.string().optional() });
const pageSize = 1000;

/** The whole index, combined from the parts that the workers keep. */
@Injectable()
export class FileIndexService {
  constructor(
    private readonly views: Views,
    private readonly workers: WorkerClient,
    private readonly store: EventStore,
    private readonly recorder: Recorder,
  ) {}

  /**
   * Adds each file at the workers that hold its copies, so that the entry goes when the copy goes. A file without
   * copies is added at the worker that owns it.
   * @returns how many were not in the index before
   */
  async add(files: readonly string[], context: CommandContext): Promise<number> {
    const paths = this.resolve(files);
    const ring = new HashRing(ringMembers(this.views.get(membershipView).state));
    if (ring.members.length === 0)
      throw new DomainError('Unavailable', 'no-workers', 'there is no worker to keep the index');
    const { listed, holders } = await this.whereabouts(paths);
    const byWorker = new Map<string, string[]>();
    for (const path of paths) {
      const targets = holders.get(path) ?? (listed.has(path) ? [] : ring.owners(path));
      for (const workerId of targets) byWorker.set(workerId, [...(byWorker.get(workerId) ?? []), path]);
    }
    const changed = await Promise.all([...byWorker].map(([workerId, some]) => this.change(workerId, 'add', some)));
    const added = new Set(changed.flat().filter((path) => !listed.has(path)));
    return this.record('FilesAddedToIndex', paths, added.size, context);
  }

  /** Removes each file at all workers. @returns how many files were really removed */
  async remove(files: readonly string[], context: CommandContext): Promise<number> {
    const paths = this.resolve(files);
    const removed = await Promise.all(this.online().map((workerId) => this.change(workerId, 'remove', paths)));
    return this.record('FilesRemovedFromIndex', paths, new Set(removed.flat()).size, context);
  }

  /**
   * All entries after `after`, in byte order, as a stream.
   * @param unmounted lists the paths of all copies that no mount covers instead
   * @throws DomainError Unavailable when a worker is silent
   */
  list(after?: string, unmounted = false): AsyncGenerator<string> {
    return mergeSorted(this.online().map((workerId) => this.entriesOf(workerId, after, unmounted)));
  }

  /** Which of the paths are in the index, and which workers hold copies of them. */
  private async whereabouts(
    paths: readonly string[],
  ): Promise<{ listed: Set<string>; holders: Map<string, string[]> }> {
    const listed = new Set<string>();
    const holders = new Map<string, string[]>();
    for (const workerId of this.online()) {
      const entries = await this.workers.lookup(workerId, paths);
      const answer = await this.workers.post(workerId, '/v1/file-index', { op: 'has', paths });
      const { present } = presentSchema.parse(answer);
      for (const [i, path] of paths.entries()) {
        if (present[i]) listed.add(path);
        if (entries[i]) holders.set(path, [...(holders.get(path) ?? []), workerId]);
      }
    }
    return { listed, holders };
  }

  private async *entriesOf(workerId: string, after: string | undefined, unmounted: boolean): AsyncGenerator<string> {
    for (let last = after; ;) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(last === undefined ? {} : { after: last }) });
      if (unmounted) query.set('unmounted', 'true');
      const page = pageSchema.parse(await this.workers.get(workerId, `/v1/file-index?${query.toString()}`));
      yield* page.files;
      if (page.next === undefined) return;
      last = page.next;
    }
  }

  /** The paths for which the worker's part of the index changed. */
  private async change(workerId: string, op: 'add' | 'remove', paths: readonly string[]): Promise<string[]> {
    if (paths.length === 0) return [];
    const answer = await this.workers.post(workerId, '/v1/file-index', { op, paths });
    const { changed } = changedSchema.parse(answer);
    return paths.filter((_path, i) => changed[i]);
  }

  private online(): string[] {
    return listWorkers(this.views.get(membershipView).state)
      .filter(({ status }) => status === 'online')
      .map(({ workerId }) => workerId);
  }

  private resolve(files: readonly string[]): string[] {
    const { state } = this.views.get(namespaceView);
    const paths = files.map((file, i) => {
      const field = `files[${i}]`;
      return file.startsWith('/') ? resolveUfsPath(state, file, field) : normalizeUfsPath(file, field);
    });
    return [...new Set(paths)];
  }

  private async record(
    type: 'FilesAddedToIndex' | 'FilesRemovedFromIndex',
    files: string[],
    entries: number,
    context: CommandContext,
  ): Promise<number> {
    const events = this.recorder.record([{ type, data: { files, entries } }], context);
    const { sequence } = await this.store.appendFact(fileIndexBoundary.name, randomUUID(), events);
    await this.views.waitFor(sequence);
    return entries;
  }
}
