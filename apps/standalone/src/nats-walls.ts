import fs from 'node:fs';
import path from 'node:path';
import { accountsOf, logAccount, Names, natsUser, type Role } from '#jetstream';
import type { NatsAccount } from '#nats-server';
import type { NatsPlace } from './nats-layout.js';
import type { Secrets } from './secrets.js';

/** Where earlier versions kept the log: the account that a server has by itself. */
const formerAccount = '$G';

/**
 * Who may do what on the cluster's own nats-servers, which must not run now. The log of an earlier version's single
 * server is moved into the account that is the coordinators' alone. That of several servers cannot be moved: they agree
 * among themselves on what lies where; there all roles share one account.
 */
export function natsWalls(
  places: readonly NatsPlace[],
  cluster: string,
  { natsPasswords }: Pick<Secrets, 'natsPasswords'>,
): { accounts: readonly NatsAccount[]; isolated: boolean } {
  const isolated = !places.some((place) => hasFormerLog(place) && places.length > 1);
  for (const place of places) if (isolated && hasFormerLog(place)) moveLog(place);
  const passwordOf = (role: Role) => natsPasswords[role];
  return { accounts: accountsOf(new Names(cluster), { passwordOf, isolated }), isolated };
}

/** Addresses of the servers, with the name and password of a role. */
export function natsUrlFor(
  role: Role,
  cluster: string,
  { natsPasswords }: Pick<Secrets, 'natsPasswords'>,
  servers: readonly { readonly port: number }[],
): string {
  const credentials = `${natsUser(new Names(cluster), role)}:${encodeURIComponent(natsPasswords[role])}`;
  return servers.map(({ port }) => `nats://${credentials}@127.0.0.1:${port}`).join(',');
}

const directoryOf = ({ storeDir }: NatsPlace, account: string) => path.join(storeDir, 'jetstream', account);

function hasFormerLog(place: NatsPlace): boolean {
  return fs.existsSync(directoryOf(place, formerAccount)) && !fs.existsSync(directoryOf(place, logAccount));
}

function moveLog(place: NatsPlace): void {
  fs.renameSync(directoryOf(place, formerAccount), directoryOf(place, logAccount));
}
