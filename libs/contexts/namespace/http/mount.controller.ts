import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Put, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { WorkerWatch } from '#contexts/membership/http';
import { DomainError } from '#kernel';
import { CommandHandler, commandContext, CONFIG, queryText, Views, type LarderConfig } from '#runtime';
import { answerAs, type Results } from '#schema';
import {
  KeyRing,
  maskOptions,
  mountAt,
  namespace,
  namespaceBoundary,
  namespaceView,
  normalizeNamespacePath,
  normalizeUfsRoot,
  type Mount,
  type NamespaceCommand,
} from '../index.js';
import { MountCheck } from './mount-check.js';
import {
  mountAnswer,
  mountedAnswer,
  mountRemovedAnswer,
  mountReplacedAnswer,
  type MountAnswer,
  type MountedAnswer,
  type MountRemovedAnswer,
  type MountReplacedAnswer,
} from './mount.answers.js';
import { CreateMountDto, DeleteMountDto, ReplaceMountOptionsDto } from './mount.dto.js';
import { StaticMountTable } from './static-mount-table.js';

/** How long a change of a mount waits for workers. They learn of it within milliseconds unless something is wrong. */
const workersWithinMs = 2_000;

/** `/api/v1/mount`: the mount table. */
@Controller('mount')
export class MountController {
  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly keyRing: KeyRing,
    private readonly table: StaticMountTable,
    private readonly check: MountCheck,
    private readonly watch: WorkerWatch,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  @Get()
  async read(@Query('path') path?: unknown): Promise<MountAnswer | Results<MountAnswer>> {
    const wanted = queryText(path);
    if (wanted === undefined) return { results: this.state.mounts.map((mount) => this.present(mount)) };
    const normalized = normalizeNamespacePath(wanted);
    const mount = await this.views.find(() => mountAt(this.state, normalized));
    if (!mount) throw new DomainError('NotFound', 'no-mount', `No mount point found for path: ${normalized}`);
    return this.present(mount);
  }

  @Post()
  @HttpCode(200)
  async create(@Body() dto: CreateMountDto, @Req() request: FastifyRequest): Promise<MountedAnswer> {
    this.table.requireManaged();
    const path = normalizeNamespacePath(dto.path);
    const ufs = normalizeUfsRoot(dto.ufs);
    const { options, ignored } = this.check.options(ufs, dto.options ?? {});
    const command = { type: 'Mount', path, ufs, options: this.keyRing.sealOptions(ufs, options) } as const;
    // Looking at the store takes time, so skip it if the mount table will refuse the mount anyway.
    const isFree = await this.views.find(() => this.accepts(command) || undefined);
    const warning = isFree ? await this.check.look({ ufs, options }) : undefined;
    await this.execute(command, request);
    return answerAs(mountedAnswer, resultOf(ignored, warning));
  }

  /** Replaces the options of a mount, for example to rotate keys. Its policies and copies stay. */
  @Put()
  @HttpCode(200)
  async replaceOptions(
    @Body() dto: ReplaceMountOptionsDto,
    @Req() request: FastifyRequest,
  ): Promise<MountReplacedAnswer> {
    this.table.requireManaged();
    const path = normalizeNamespacePath(dto.path);
    const mount = await this.views.find(() => mountAt(this.state, path));
    if (!mount) throw new DomainError('NotFound', 'no-mount', `No mount point found for path: ${path}`);
    const { options, ignored } = this.check.options(mount.ufs, dto.options);
    const sealed = this.keyRing.sealOptions(mount.ufs, options);
    const ufs = dto.ufs === undefined ? {} : { ufs: normalizeUfsRoot(dto.ufs) };
    const command = { type: 'ReplaceMountOptions', path, ...ufs, options: sealed } as const;
    const warning = this.accepts(command) ? await this.check.look({ ufs: mount.ufs, options }) : undefined;
    const { sequence } = await this.execute(command, request);
    // After this answer, the client may revoke the old keys.
    const stillUsing = await this.watch.untilNamespace(sequence, workersWithinMs);
    return answerAs(mountReplacedAnswer, {
      ...resultOf(ignored, warning),
      ...(stillUsing.length > 0 && { stillUsing }),
    });
  }

  @Delete()
  @HttpCode(200)
  async remove(@Body() dto: DeleteMountDto, @Req() request: FastifyRequest): Promise<MountRemovedAnswer> {
    this.table.requireManaged();
    const command: NamespaceCommand = { type: 'Unmount', path: normalizeNamespacePath(dto.path) };
    const { sequence } = await this.execute(command, request);
    // After this answer, no worker should still serve from the mount. Slow workers are named in it.
    const stillServing = await this.watch.untilNamespace(sequence, workersWithinMs);
    return answerAs(mountRemovedAnswer, { status: 'ok', ...(stillServing.length > 0 && { stillServing }) });
  }

  private get state() {
    return this.views.get(namespaceView).state;
  }

  private accepts(command: NamespaceCommand): boolean {
    try {
      namespace.decide(this.state, command);
      return true;
    } catch (error) {
      if (error instanceof DomainError) return false;
      throw error;
    }
  }

  private execute(command: NamespaceCommand, request: FastifyRequest) {
    const load = () => this.views.get(namespaceView);
    return this.commands.execute(
      { boundary: namespaceBoundary.name, decider: namespace, load },
      command,
      commandContext(request),
    );
  }

  private present(mount: Mount): MountAnswer {
    const options = this.config.revealSecrets
      ? this.keyRing.openOptions(mount.options)
      : maskOptions(mount.ufs, mount.options);
    const shown = Object.keys(options).length > 0 ? { options } : {};
    return answerAs(mountAnswer, { path: mount.path, ufs: mount.ufs, ...shown });
  }
}

function resultOf(ignored: readonly string[], warning: string | undefined) {
  return {
    status: 'ok' as const,
    ...(ignored.length > 0 ? { ignored: ignored.map((name) => `options.${name}`) } : {}),
    ...(warning === undefined ? {} : { warning }),
  };
}
