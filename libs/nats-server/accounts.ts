/** A user that may connect, and its permissions. */
export interface NatsUser {
  readonly user: string;
  /** The password itself, or the environment variable of the server that holds it. */
  readonly password: string | { readonly variable: string };
  /** Where this user awaits answers. Default `_INBOX`. */
  readonly inboxPrefix?: string;
  /** Undefined: the user may do everything that its account can. */
  readonly permissions?: NatsPermissions;
}

/** Allowed subjects; all others are forbidden. `*` stands for one token, a last `>` for one or more. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  /** Forbidden although `publish` covers it. */
  readonly neverPublish?: readonly string[];
  readonly subscribe: readonly string[];
  /** May answer each message that it receives, once, wherever its sender wants the answer. */
  readonly answers: boolean;
}

/** A separate space of subjects. A message stays in its account, unless accounts offer and use a service. */
export interface NatsAccount {
  /** Undefined: the server's default account; then there is no other. */
  readonly name: string | undefined;
  readonly jetstream: boolean;
  readonly users: readonly NatsUser[];
  /** What other accounts may send into this one. */
  readonly offers: readonly NatsService[];
  /** Subjects whose messages go into another account when they are published in this one. */
  readonly uses: readonly { readonly account: string; readonly subject: string }[];
}

export interface NatsService {
  readonly subject: string;
  /** Names of the accounts that may use it. */
  readonly to: readonly string[];
  /** Whether one request may have several answers. Else only the first one counts. */
  readonly severalAnswers: boolean;
}

export const text = (value: string): string => JSON.stringify(value);

/** The part of a configuration file with accounts, users and permissions. */
export function accountsBlock(accounts: readonly NatsAccount[]): string {
  const [only] = accounts;
  if (only?.name === undefined) return [`authorization {`, ...indented(usersLines(only.users)), '}', ''].join('\n');
  return [`accounts {`, ...accounts.flatMap((account) => indented(accountLines(account))), '}', ''].join('\n');
}

function accountLines({ name, jetstream, users, offers, uses }: NatsAccount): string[] {
  const exported = offers.map(({ subject, to, severalAnswers }) => {
    const answers = severalAnswers ? ', response_type: stream' : '';
    return `{ service: ${text(subject)}, accounts: [${to.map(text).join(', ')}]${answers} }`;
  });
  const imported = uses.map(
    ({ account, subject }) => `{ service: { account: ${text(account)}, subject: ${text(subject)} } }`,
  );
  return [
    `${text(name!)}: {`,
    ...(jetstream ? ['  jetstream: enabled'] : []),
    ...indented(usersLines(users)),
    ...indented(list('exports', exported)),
    ...indented(list('imports', imported)),
    `}`,
  ];
}

const usersLines = (users: readonly NatsUser[]): string[] => ['users: [', ...indented(users.flatMap(userLines)), ']'];

function userLines({ user, password, permissions }: NatsUser): string[] {
  const secret = typeof password === 'string' ? text(password) : `$${password.variable}`;
  const name = `user: ${text(user)}, password: ${secret}`;
  if (permissions === undefined) return [`{ ${name} }`];
  const { publish, neverPublish = [], subscribe, answers } = permissions;
  return [
    `{`,
    `  ${name}`,
    `  permissions: {`,
    `    publish: {`,
    ...indented(list('allow', publish.map(text)), 6),
    ...indented(list('deny', neverPublish.map(text)), 6),
    `    }`,
    `    subscribe: {`,
    ...indented(list('allow', subscribe.map(text)), 6),
    `    }`,
    ...(answers ? [`    allow_responses: { max: 1, expires: "1m" }`] : []),
    `  }`,
    `}`,
  ];
}

const list = (key: string, entries: readonly string[]): string[] =>
  entries.length === 0 ? [] : [`${key}: [`, ...indented(entries), ']'];

const indented = (lines: readonly string[], by = 2): string[] => lines.map((line) => ' '.repeat(by) + line);
