import { randomBytes } from 'node:crypto';
import { type Command } from 'commander';
import { ConfigError, keyRingText } from '#config';
import { print } from '../output.js';
import { type ClusterOptions, coordinatorRing } from '../settings.js';
import { clusterOptions } from './options.js';

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('The keys that coordinators sign the log with.');
  keys
    .command('generate')
    .description('Print a new key for LARDER_SIGNING_KEYS. It is a secret: give it to coordinators alone.')
    .requiredOption('--id <id>', 'name of the key, for example the year', parseId)
    .action(async ({ id }: { id: string }) => print(keyRingText([{ id, key: randomBytes(32) }])));
  clusterOptions(keys.command('public'))
    .description('Print the public halves of the keys, for LARDER_VERIFY_KEYS of workers. They are no secret.')
    .action(async (options: ClusterOptions) => {
      const ring = coordinatorRing(options);
      if (!ring) throw new ConfigError(['Set LARDER_SIGNING_KEYS (or LARDER_SECRET_KEYS), or give --data-dir.']);
      await print(keyRingText(ring.verifyKeys()));
    });
}

function parseId(text: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(text)) throw new ConfigError(['--id: expected letters, digits, ".", "_" and "-".']);
  return text;
}
