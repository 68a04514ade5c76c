import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { settings } from '#config';
import { accountsOf, Names, natsUser, oldestNatsForReplicas, type Role, roles } from '#jetstream';
import { accountsBlock, compareVersions } from '#nats-server';
import { natsServerBinary } from '#testing';

interface Service {
  readonly image?: string;
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly volumes?: string[];
  readonly depends_on?: string[];
}

interface Compose {
  readonly services: Record<string, Service>;
  readonly volumes: Record<string, null>;
}

const root = process.cwd();
/** A dependency of jest's coverage. */
const { safeLoad } = createRequire(path.join(root, 'package.json'))('js-yaml') as {
  safeLoad: (text: string) => unknown;
};
const read = (file: string) => safeLoad(readFileSync(path.join(root, file), 'utf8')) as Compose;
/** A configuration of nats-server, with the files that it includes. */
const natsConf = (file: string) =>
  readFileSync(path.join(root, 'deploy', file), 'utf8').replace(/^include \.\/(\S+)$/m, (_, included: string) =>
    readFileSync(path.join(root, 'deploy', included), 'utf8'),
  );
const variablesIn = (conf: string) => [...new Set([...conf.matchAll(/ \$([A-Z_]+)/g)].map(([, name]) => name))].sort();
const passwordVariable = (role: Role) => `NATS_${role.toUpperCase()}_PASSWORD`;
const haproxy = readFileSync(path.join(root, 'deploy/haproxy.cfg'), 'utf8');

describe.each(['docker-compose.yml', 'docker-compose.simple.yml'])('%s', (file) => {
  const { services, volumes } = read(file);

  it('sets only known settings, and names only existing services, volumes and files', () => {
    const known = new Set<string>(Object.values(settings).map(({ env }) => env));
    for (const { environment = {}, volumes: mounted = [], depends_on = [] } of Object.values(services)) {
      const made = Object.keys(environment).filter((name) => name.startsWith('LARDER_'));
      expect(made.filter((name) => !known.has(name))).toEqual([]);
      expect(depends_on.filter((name) => services[name] === undefined)).toEqual([]);
      for (const source of mounted.map((one) => one.split(':')[0])) {
        expect(source.startsWith('./') ? existsSync(path.join(root, source)) : source in volumes).toBe(true);
      }
    }
  });

  it('starts only scripts that the build produces', () => {
    const bundles = JSON.parse(readFileSync(path.join(root, 'scripts/bundles.json'), 'utf8')) as object;
    const built = Object.keys(bundles).map((name) => `dist/bin/${name}.js`);
    const scripts = Object.values(services).flatMap(({ command = [] }) =>
      command.filter((word) => word.endsWith('.js')),
    );
    expect(scripts.length).toBeGreaterThan(1);
    expect(scripts.filter((script) => !built.includes(script))).toEqual([]);
  });

  it('gives each process the NATS user of its role, and nats-server all passwords', () => {
    for (const [name, { command, environment = {} }] of Object.entries(services)) {
      if (name === 'nats' || name.startsWith('nats-')) {
        const conf = path.basename(command![1]);
        expect(Object.keys(environment).sort()).toEqual(variablesIn(natsConf(conf)));
        const passwords = Object.fromEntries(Object.keys(environment).map((variable) => [variable, 'p1']));
        const env = { ...passwords, NATS_ROUTES: '[]' };
        const { binary } = natsServerBinary();
        const { status, stderr } = spawnSync(binary, ['-t', '-c', path.join(root, 'deploy', conf)], { env });
        expect([status, String(stderr)]).toEqual([0, expect.any(String)]);
      }
      const role = (['coordinator', 'worker'] as const).find((one) => name.startsWith(one));
      if (role === undefined) continue;
      const credentials = `${natsUser(new Names(), role)}:\${${passwordVariable(role)}}`;
      expect(environment.LARDER_NATS_URL).toMatch(`nats://${credentials}@`);
    }
  });

  it('pins each image to a release', () => {
    const images = Object.values(services).flatMap(({ image }) => (image && image !== 'larder' ? [image] : []));
    for (const image of images) expect(image).toMatch(/:[^:]*\d+[.\d-]*\d/);
  });
});

describe('deploy/nats-accounts.conf', () => {
  it('equals the output of `npm run docs` for the permissions of each role', () => {
    const text = readFileSync(path.join(root, 'deploy/nats-accounts.conf'), 'utf8');
    const passwordOf = (role: Role) => ({ variable: passwordVariable(role) });
    expect(text.slice(text.indexOf('accounts {'))).toBe(accountsBlock(accountsOf(new Names(), { passwordOf })));
    expect(variablesIn(text)).toEqual(roles.map(passwordVariable).sort());
  });
});

describe('docker-compose.yml', () => {
  const { services } = read('docker-compose.yml');
  const named = (prefix: string) => Object.keys(services).filter((name) => name.startsWith(prefix));

  it('has three of each process, a balancer before the coordinators, and an S3 server', () => {
    for (const kind of ['nats', 'coordinator', 'worker']) {
      expect(named(`${kind}-`)).toEqual([1, 2, 3].map((n) => `${kind}-${n}`));
    }
    expect(Object.keys(services)).toEqual(expect.arrayContaining(['balancer', 's3']));
    for (const backend of haproxy.split(/^backend /m).slice(1)) {
      const targets = [...backend.matchAll(/^ {2}server (\S+) (\S+):19999$/gm)].map(([, , host]) => host);
      expect(targets).toEqual(named('coordinator-'));
    }
  });

  it('runs a NATS release that is safe with replicas, flushes before acknowledging, and lists every server to clients', () => {
    const conf = natsConf('nats.conf');
    expect(conf).toMatch(/^ {2}sync_interval: always$/m);
    for (const name of named('nats-')) {
      const { image, environment } = services[name];
      expect(compareVersions(/^nats:([\d.]+)/.exec(image!)![1], oldestNatsForReplicas)).toBeGreaterThanOrEqual(0);
      expect(environment!.NATS_SERVER_NAME).toBe(name);
      for (const other of named('nats-')) expect(environment!.NATS_ROUTES).toContain(`@${other}:6222`);
    }
    for (const name of [...named('coordinator-'), ...named('worker-')]) {
      for (const server of named('nats-'))
        expect(services[name].environment!.LARDER_NATS_URL).toContain(`${server}:4222`);
    }
    for (const name of named('coordinator-')) expect(services[name].environment!.LARDER_NATS_REPLICAS).toBe('3');
  });
});
