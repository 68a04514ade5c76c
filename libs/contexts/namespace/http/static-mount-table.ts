import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DomainError } from '#kernel';
import { CommandHandler, CONFIG, type LarderConfig, ownContext, timeLeft, untilAnswered, Views } from '#runtime';
import {
  KeyRing,
  mountAt,
  namespace,
  namespaceBoundary,
  namespaceView,
  normalizeNamespacePath,
  normalizeUfsRoot,
  storeOfMount,
  type Mount,
  type NamespaceCommand,
} from '../index.js';
import { MountCheck } from './mount-check.js';

const tableSchema = z.array(
  z.strictObject({ path: z.string(), ufs: z.string(), options: z.record(z.string(), z.string()).default({}) }),
);
type Entry = z.infer<typeof tableSchema>[number];

/**
 * A mount table in a file (LARDER_MOUNT_TABLE). At the start, a coordinator changes the mounts in the log to match it.
 * The API cannot change it. Changes of the file take effect at the next start of a coordinator.
 */
@Injectable()
export class StaticMountTable implements OnApplicationBootstrap {
  private readonly logger = new Logger('mount-table');

  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly keyRing: KeyRing,
    private readonly check: MountCheck,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  /** @throws DomainError, answered with 501, when the mount table is a file */
  requireManaged(): void {
    if (this.config.mountTable === undefined) return;
    const message = 'the mount table is a static file and cannot be changed through the API';
    throw new DomainError('Refused', 'static-mount-table', message, { httpStatus: 501 });
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.mountTable === undefined) return;
    const wanted: Entry[] = [];
    for (const entry of await readTable(this.config.mountTable)) {
      wanted.push(await named(entry, () => this.checked(entry)));
    }
    const leftMs = timeLeft(ownContext('static-mount-table'));
    await untilAnswered(leftMs, (timeoutMs) => this.views.caughtUp(timeoutMs));
    for (const mount of this.views.get(namespaceView).state.mounts) {
      const entry = wanted.find(({ path }) => path === mount.path);
      if (entry && this.matches(mount, entry)) continue;
      const options = this.keyRing.sealOptions(mount.ufs, entry?.options ?? {});
      const sameStore = entry?.ufs === mount.ufs && storeOfMount({ ufs: mount.ufs, options }) === storeOfMount(mount);
      // If the store is the same, the policies and copies below the mount stay.
      if (sameStore) await this.execute({ type: 'ReplaceMountOptions', path: mount.path, options });
      else await this.execute({ type: 'Unmount', path: mount.path });
    }
    for (const { path, ufs, options } of wanted) {
      if (mountAt(this.views.get(namespaceView).state, path)) continue;
      const warning = await named({ path }, () => this.check.look({ ufs, options }));
      if (warning !== undefined) this.logger.warn(`${path}: ${warning}`);
      await this.execute({ type: 'Mount', path, ufs, options: this.keyRing.sealOptions(ufs, options) });
      this.logger.log(`mounted ${ufs} at ${path}, as the static mount table says`);
    }
  }

  /** @throws DomainError Malformed for options that no mount can have; it ends the start */
  private checked(entry: Entry): Entry {
    const { options, ignored } = this.check.options(entry.ufs, entry.options);
    if (ignored.length > 0)
      this.logger.warn(`${entry.path}: these options have no meaning here: ${ignored.join(', ')}`);
    return { ...entry, options };
  }

  private matches(mount: Mount, entry: Entry): boolean {
    const options = this.opened(mount);
    const sorted = (record: Record<string, string>) => JSON.stringify(Object.entries(record).sort());
    return mount.ufs === entry.ufs && sorted(options) === sorted(entry.options);
  }

  /** @throws DomainError Refused: options that do not open cannot be compared, and a remount would lose policies */
  private opened({ path, options }: Mount): Record<string, string> {
    try {
      return this.keyRing.openOptions(options);
    } catch (cause) {
      const why = (cause as Error).message;
      throw new DomainError('Refused', 'wrong-keys', `LARDER_MOUNT_TABLE: mount ${path}: ${why}`, { cause });
    }
  }

  private async execute(command: NamespaceCommand): Promise<void> {
    const load = () => this.views.get(namespaceView);
    const context = ownContext('static-mount-table');
    await this.commands.execute({ boundary: namespaceBoundary.name, decider: namespace, load }, command, context);
  }
}

/** A refusal ends the start, so its text names the entry of the table. */
async function named<T>({ path }: Pick<Entry, 'path'>, check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    throw new DomainError(cause.kind, cause.code, `LARDER_MOUNT_TABLE: ${path}: ${cause.message}`, { cause });
  }
}

async function readTable(file: string): Promise<Entry[]> {
  try {
    const entries = tableSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return entries.map(({ path, ufs, options }) => ({
      path: normalizeNamespacePath(path),
      ufs: normalizeUfsRoot(ufs),
      options,
    }));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    const message = `LARDER_MOUNT_TABLE: ${file} is no mount table, [{ "path", "ufs", "options" }]: ${reason}`;
    throw new DomainError('Refused', 'bad-mount-table', message, { cause });
  }
}
