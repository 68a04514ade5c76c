import { accountsOf, Names, natsUser, type Role } from '#jetstream';
import { type NatsServerOptions } from '#nats-server';

/** They guard nothing. */
const passwordOf = (role: Role): string => `password-of-${role}`;
/** Whoever connects to a server of tests without a name: a test, which may look at everything and do anything. */
const testUser = { user: 'tests', password: 'tests' };

/** Users, accounts and permissions as `npm start` gives them to its nats-server; and one user more, for tests themselves. */
export function testWalls(names = new Names()): Required<Pick<NatsServerOptions, 'accounts' | 'nobody'>> {
  const [log, ...others] = accountsOf(names, { passwordOf });
  return { accounts: [{ ...log, users: [...log.users, testUser] }, ...others], nobody: testUser.user };
}

/**
 * Addresses of servers behind `testWalls`, with the name and password of a role.
 * @param addresses `host:port` or `nats://host:port`, several separated by commas
 */
export function natsUrlFor(role: Role, addresses: string, names = new Names()): string {
  const one = (address: string) =>
    `nats://${natsUser(names, role)}:${passwordOf(role)}@${address.trim().replace('nats://', '')}`;
  return addresses.split(',').map(one).join(',');
}
