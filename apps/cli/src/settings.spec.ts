import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ConfigError } from '#config';
import { clusterSettings, signingKeys } from './settings.js';

const secretKeys = `standalone-1:${Buffer.alloc(32, 9).toString('base64')}`;
let dataDir: string;

beforeEach(() => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-settings-'));
  fs.writeFileSync(
    path.join(dataDir, 'secrets.json'),
    JSON.stringify({ natsPasswords: { admin: 'p/ss' }, secretKeys }),
  );
});
afterEach(() => fs.rmSync(dataDir, { recursive: true }));

/** Writes the files that `npm start` has while it runs. */
function running(): void {
  fs.mkdirSync(path.join(dataDir, 'run'));
  fs.mkdirSync(path.join(dataDir, 'nats', 'run'), { recursive: true });
  fs.writeFileSync(path.join(dataDir, 'run', 'nats-server.pid'), JSON.stringify({ pid: 4711, marker: 'x' }));
  const ports = { nats: ['nats://127.0.0.1:23456'] };
  fs.writeFileSync(path.join(dataDir, 'nats', 'run', 'nats-server_4711.ports'), JSON.stringify(ports));
}

describe('which NATS', () => {
  it('is the one on the command line, before the environment and the data directory', () => {
    running();
    const env = { LARDER_NATS_URL: 'nats://env:1', LARDER_DATA_DIR: dataDir };
    expect(clusterSettings({ nats: 'nats://given:2' }, env).natsUrl).toBe('nats://given:2');
    expect(clusterSettings({}, env)).toEqual({ natsUrl: 'nats://env:1', cluster: 'larder', replicas: 1 });
    expect(clusterSettings({ dataDir, cluster: 'other' }, env)).toMatchObject({
      natsUrl: 'nats://larder-admin:p%2Fss@127.0.0.1:23456',
      cluster: 'other',
    });
    expect(clusterSettings({}, { LARDER_DATA_DIR: dataDir }).natsUrl).toBe(
      'nats://larder-admin:p%2Fss@127.0.0.1:23456',
    );
  });

  it('is refused where none is named, or the named cluster does not run', () => {
    expect(() => clusterSettings({ dataDir }, {})).toThrow('does not run: start it with npm start');
    expect(() => clusterSettings({}, { LARDER_DATA_DIR: '/nonexistent' })).toThrow(/Which NATS is not said/);
    expect(() => clusterSettings({ dataDir: '/nonexistent' }, {})).toThrow(ConfigError);
    expect(() => clusterSettings({ nats: 'nonsense' }, {})).toThrow(/LARDER_NATS_URL/);
  });
});

describe('which keys', () => {
  const ids = (...args: Parameters<typeof signingKeys>) => signingKeys(...args)?.map(({ id }) => id);
  const env = { LARDER_DATA_DIR: '' };

  it('are those of the environment, or of the cluster whose log it is', () => {
    env.LARDER_DATA_DIR = dataDir;
    expect(ids({}, { ...env, LARDER_SECRET_KEYS: secretKeys.replace('standalone-1', 'k7') })).toEqual(['k7']);
    expect(ids({}, env)).toEqual(['standalone-1']);
    expect(ids({ dataDir, in: 'backup.gz' }, {})).toEqual(['standalone-1']);
  });

  it('are none for a backup or a NATS that may be another cluster’s', () => {
    env.LARDER_DATA_DIR = dataDir;
    expect(ids({ in: 'backup.gz' }, env)).toBeUndefined();
    expect(ids({ nats: 'nats://other:1' }, env)).toBeUndefined();
  });
});
