import { type Names } from './streams.js';

/**
 * The clients of NATS, each with a user and a password of its own. `coordinator` and `worker` are the processes of the
 * cluster, `admin` is the command line (backup, restore, verification, replay), `audit` only reads the log.
 */
export const roles = ['coordinator', 'worker', 'admin', 'audit'] as const;
export type Role = (typeof roles)[number];

/** Allowed subjects; all others are forbidden. */
export interface RolePermissions {
  readonly publish: readonly string[];
  /** Forbidden although `publish` covers it. */
  readonly neverPublish?: readonly string[];
  readonly subscribe: readonly string[];
  /** May answer each request that it receives, once, wherever the requester wants the answer. */
  readonly answers: boolean;
}

const userOfRole = new RegExp(`^[a-z0-9-]{1,32}-(${roles.join('|')})$`);

/** One admin for all clusters that share a NATS: the command line copies logs from cluster to cluster. */
export const natsAdmin = 'larder-admin';

/** The name holds the cluster's, because two clusters can share a NATS. */
export function natsUser({ cluster }: Names, role: Role): string {
  return role === 'admin' ? natsAdmin : `${cluster}-${role}`;
}

/**
 * The prefix of the inboxes in which a role awaits answers; no other role may listen there. Undefined for a user that
 * Larder does not define, as in a NATS with other users: then it is the usual `_INBOX`.
 */
export function inboxPrefixOf(user: string | undefined): string | undefined {
  return user !== undefined && userOfRole.test(user) ? `_INBOX_${user}` : undefined;
}

/** What a role may do in a NATS with permissions: only what it needs. */
export function permissionsOf(names: Names, role: Role): RolePermissions {
  const inbox = `${inboxPrefixOf(natsUser(names, role))!}.>`;
  const { publish, subscribe = [], ...others } = needs[role](names);
  const once = [...new Set(['$JS.API.INFO', ...publish])];
  return { answers: false, ...others, publish: once, subscribe: [inbox, ...subscribe] };
}

/** A stream that is created and removed again, to test whether the servers of a cluster can place replicas. */
export const meetingProbe = 'larder-meeting-probe';

export interface RolesOptions {
  readonly passwordOf: (role: Role, user: string) => Password;
  /**
   * Whether each role except the coordinators has an account of its own (default). A role then cannot receive, and not
   * even name, any other subject. If all roles shared one account, NATS would send the answer to a request wherever the
   * requester says, with the server's own rights. A role that may ask anything could so have messages written where it
   * may not write, and on servers before 2.15 even have a stream deleted (docs/adr/0010).
   * False: for a NATS whose log is in the server's default account.
   */
  readonly isolated?: boolean;
}

type Password = string | { readonly variable: string };

export interface RoleUser {
  readonly user: string;
  readonly password: Password;
  readonly inboxPrefix: string;
  readonly permissions: RolePermissions;
}

/** In the form of a nats-server's configuration: see `NatsAccount` in `libs/nats-server`. */
export interface RoleAccount {
  readonly name: string | undefined;
  readonly jetstream: boolean;
  readonly users: readonly RoleUser[];
  readonly offers: readonly { subject: string; to: string[]; severalAnswers: boolean }[];
  readonly uses: readonly { account: string; subject: string }[];
}

/** The account of the streams. It is the same for every cluster: a log restored beside another is in it, too. */
export const logAccount = 'LARDER';
const accountOf = (role: Role): string => (role === 'coordinator' ? logAccount : `${logAccount}-${role}`);

/** The accounts and users of a nats-server for one cluster, the coordinators' first. */
export function accountsOf(names: Names, { passwordOf, isolated = true }: RolesOptions): RoleAccount[] {
  const users = roles.map((role): RoleUser => {
    const user = natsUser(names, role);
    const permissions = permissionsOf(names, role);
    return { user, password: passwordOf(role, user), inboxPrefix: inboxPrefixOf(user)!, permissions };
  });
  if (!isolated) return [{ name: undefined, jetstream: true, users, offers: [], uses: [] }];
  const others = roles.filter((role) => role !== 'coordinator');
  const published = (role: Role) => permissionsOf(names, role).publish;
  // Messages to a role come through its account as well; their answers need no export.
  const heard = (role: Role) => permissionsOf(names, role).subscribe.filter((subject) => !subject.startsWith('_INBOX'));
  const subjects = [...new Set(others.flatMap(published))];
  return roles.map((role, i) => ({
    name: accountOf(role),
    jetstream: role === 'coordinator',
    users: [users[i]],
    offers:
      role === 'coordinator'
        ? subjects.map((subject) => ({
            subject,
            to: others.filter((other) => published(other).includes(subject)).map(accountOf),
            severalAnswers: subject.startsWith('$JS.API.CONSUMER.MSG.NEXT.'),
          }))
        : heard(role).map((subject) => ({ subject, to: [logAccount], severalAnswers: true })),
    uses:
      role === 'coordinator'
        ? others.flatMap((other) => heard(other).map((subject) => ({ account: accountOf(other), subject })))
        : published(role).map((subject) => ({ account: logAccount, subject })),
  }));
}

type Needs = Omit<Partial<RolePermissions>, 'publish'> & Pick<RolePermissions, 'publish'>;

const needs: Readonly<Record<Role, (names: Names) => Needs>> = {
  coordinator: (names) => ({
    publish: [
      names.eventSubjects,
      names.workSubjects,
      ...names.snapshotSubjects,
      names.coordinatorHeartbeats,
      ...names.workerControls,
      ...creating(names),
      '$JS.API.STREAM.NAMES',
      ...api(meetingProbe, ['STREAM.CREATE', 'STREAM.DELETE']),
      ...reading(names.eventStream),
      ...reading(names.snapshotStream),
      ...api(names.workStream, ['STREAM.INFO', 'STREAM.MSG.GET', 'STREAM.MSG.DELETE', 'STREAM.PURGE']),
      ...api(names.workStream, ['CONSUMER.LIST', 'CONSUMER.NAMES']),
      ...consumerApi(names.workStream, ['CONSUMER.INFO']),
      ...api(names.snapshotStream, ['STREAM.PURGE']),
    ],
    // Only workers report what a worker has done.
    neverPublish: [names.eventFilter('batch.>')],
    subscribe: [
      names.workerHeartbeats,
      names.coordinatorHeartbeats,
      names.workersProgress,
      ...names.coordinatorControls,
    ],
    answers: true,
  }),
  worker: (names) => ({
    publish: [
      names.eventFilter('batch.*.*'),
      names.workerHeartbeats,
      names.workersProgress,
      ...names.coordinatorControls,
      ...reading(names.eventStream),
      ...api(names.workStream, ['STREAM.INFO']),
      ...consumerApi(names.workStream, ['CONSUMER.INFO', 'CONSUMER.MSG.NEXT']),
      // Only on the work stream: the name of the consumer, then the subjects it delivers.
      `$JS.API.CONSUMER.CREATE.${names.workStream}.*.${names.workSubjects}`,
      ...acknowledging(names.workStream),
    ],
    subscribe: names.workerControls,
    answers: true,
  }),
  // For every cluster: a restore creates a log, and a copy of one may stand beside it under another name.
  admin: (names) => ({
    publish: [
      '*.evt.>',
      ...creating(names),
      ...api('*', ['STREAM.CREATE', 'STREAM.INFO', 'STREAM.MSG.GET']),
      '$JS.API.CONSUMER.CREATE.*.>',
      ...consumerApi('*', ['CONSUMER.DELETE', 'CONSUMER.MSG.NEXT']),
    ],
  }),
  audit: (names) => ({ publish: reading(names.eventStream) }),
};

/** `UPDATE` is for adding replicas: Larder never takes a subject or a deny away from a stream. */
function creating({ eventStream, workStream, snapshotStream }: Names): string[] {
  return [eventStream, workStream, snapshotStream].flatMap((one) =>
    api(one, ['STREAM.INFO', 'STREAM.CREATE', 'STREAM.UPDATE']),
  );
}

/** Reads single messages, and through consumers in the server's memory. */
function reading(stream: string): string[] {
  return [
    ...api(stream, ['STREAM.INFO', 'STREAM.MSG.GET']),
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    ...consumerApi(stream, ['CONSUMER.INFO', 'CONSUMER.DELETE', 'CONSUMER.MSG.NEXT']),
  ];
}

function api(stream: string, verbs: readonly string[]): string[] {
  return verbs.map((verb) => `$JS.API.${verb}.${stream}`);
}

function consumerApi(stream: string, verbs: readonly string[]): string[] {
  return api(`${stream}.*`, verbs);
}

/** The second form is for servers that put `<domain>.<account hash>` before the stream. */
function acknowledging(stream: string): string[] {
  return [`$JS.ACK.${stream}.>`, `$JS.ACK.*.*.${stream}.>`];
}
