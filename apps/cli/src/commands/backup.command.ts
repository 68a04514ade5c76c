import path from 'node:path';
import type { Command } from 'commander';
import { requireWritableFile } from '#config';
import { writeBackup } from '#contexts/log/backup';
import { withLog } from '../open-log.js';
import { print } from '../output.js';
import { type ClusterOptions, clusterSettings } from '../settings.js';
import { clusterOptions } from './options.js';

export function addBackup(program: Command): void {
  clusterOptions(program.command('backup'))
    .description('Copy the whole log to a file. Works while the cluster runs, and when no coordinator does.')
    .requiredOption('--out <file>', 'file to write; must not be there yet')
    .action(async (options: ClusterOptions & { out: string }) => {
      const settings = clusterSettings(options);
      requireWritableFile('--out', path.resolve(options.out));
      const { header, count, root } = await withLog(settings, ({ store, link }) =>
        writeBackup({
          store,
          cluster: settings.cluster,
          natsVersion: link.serverVersion,
          file: options.out,
          now: new Date().toISOString(),
        }),
      );
      await print(`${options.out}: ${count} messages, through sequence ${header.lastSequence}, verified`);
      await print(`root ${root}`);
    });
}
