import fs from 'node:fs';
import path from 'node:path';
import { loadConfig } from '#config';
import { loadSecrets } from './secrets.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

describe('loadSecrets', () => {
  const directory = temporaryDirectory();

  it('makes them once, readable by the owner only, with a key ring that the configuration takes', () => {
    const file = path.join(directory.path, 'secrets.json');
    const secrets = loadSecrets(file);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(loadConfig({ LARDER_SECRET_KEYS: secrets.secretKeys }).secretKeys).toHaveLength(1);
    expect(loadSecrets(file)).toEqual(secrets);
    expect(fs.readdirSync(directory.path)).toEqual(['secrets.json']);
  });

  it('adds the secrets that files of earlier versions lack, and keeps the rest', () => {
    const earlier = { natsToken: 't', secretKeys: `k1:${Buffer.alloc(32).toString('base64')}` };
    const file = directory.write('secrets.json', JSON.stringify(earlier));
    const secrets = loadSecrets(file);
    const added = expect.stringMatching(/^[0-9a-f]{48}$/) as string;
    const natsPasswords = { coordinator: added, worker: added, admin: added, audit: added };
    const signingKeys = expect.stringMatching(/^standalone-signing-1:[A-Za-z0-9+/]{43}=$/) as string;
    expect(secrets).toEqual({ ...earlier, routePassword: added, natsPasswords, signingKeys });
    expect(new Set(Object.values(secrets.natsPasswords)).size).toBe(4);
    expect(loadSecrets(file)).toEqual(secrets);
  });

  it.each(['', '{}', '{"natsToken":""}', 'null'])('never replaces a damaged file: %j', (text) => {
    const file = directory.write('secrets.json', text);
    expect(() => loadSecrets(file)).toThrow(`${file} is damaged`);
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
  });
});
