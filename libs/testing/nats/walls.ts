import { accountsOf, Names, natsUser, type Role } from '#jetstream';
import { type NatsServerOptions } from '#nats-server';

/** These passwords protect nothing. */
const passwordOf = (role: Role): string => `password-of-${role}`;
/** The user of connections without a name. Only tests connect so, and they have all rights. */
const testUser = { user: 'tests', password: 'tests' };

/**
 * The users, accounts and permissions of the nats-server of `npm start`, and one more user for the tests themselves.
 */
export function testWalls(names = new Names()): Required<Pick<NatsServerOptions, 'accounts' | 'nobody'>> {
  const [log, ...others] = accountsOf(names, { passwordOf });
  return { accounts: [{ ...log, users: [...log.users, testUser] }, ...others], nobody: testUser.user };
}

/**
 * Addresses of servers with `testWalls`, with the name and password of a role.
 * @param addresses `host:port` or `nats://host:port`, several separated by commas
 */
export function natsUrlFor(role: Role, addresses: string, names = new Names()): string {
  const one = (address: string) =>
    `nats://${natsUser(names, role)}:${passwordOf(role)}@${address.trim().replace('nats://', '')}`;
  return addresses.split(',').map(one).join(',');
}
