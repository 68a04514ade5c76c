import type { Command } from 'commander';
import { accountsOf, Names, type Role } from '#jetstream';
import { accountsBlock } from '#nats-server';
import { print } from '../output.js';

/** The environment variable of a nats-server with the password of a role. */
const passwordVariable = (role: Role): string => `NATS_${role.toUpperCase()}_PASSWORD`;

/**
 * The accounts and permissions in the configuration of a nats-server. Passwords come from the server's environment.
 * Each must begin with a letter, otherwise the server reads it as a number.
 * @param shared puts all roles into the default account of the server, for a server that holds a log there
 */
export function natsAccountsFile(cluster: string, shared = false): string {
  const passwordOf = (role: Role) => ({ variable: passwordVariable(role) });
  const command = ['larder nats-accounts', '--cluster', cluster, ...(shared ? ['--shared'] : [])].join(' ');
  return `# Who may do what; written by \`${command}\`.
# Passwords stand in the environment, and begin with a letter.
${accountsBlock(accountsOf(new Names(cluster), { passwordOf, isolated: !shared }))}`;
}

export function addNatsAccounts(program: Command): void {
  program
    .command('nats-accounts')
    .description('Print users, accounts and permissions for the configuration of a nats-server.')
    .option('--cluster <name>', 'name of the cluster', 'larder')
    .option(
      '--shared',
      'put all users into the default account of the server, for a server that already has a log there',
    )
    .action(async ({ cluster, shared }: { cluster: string; shared?: boolean }) => {
      await print(natsAccountsFile(cluster, shared).trimEnd());
    });
}
