import fs from 'node:fs';
import path from 'node:path';
import { accountsOf, logAccount, Names, natsUser, type Role } from '#jetstream';
import type { NatsAccount } from '#nats-server';
import type { NatsPlace } from './nats-layout.js';
import type { Secrets } from './secrets.js';

/** The default account of a server. Earlier versions kept the log there. */
const formerAccount = '$G';

/**
 * The accounts of the cluster's own nats-servers, which must not be running now. If a single server holds the log of an
 * earlier version, the log is moved into an account that only coordinators use. The log of several servers cannot be
 * moved, because they agree among themselves on its place. There, all roles share one account.
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
