import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openDataDirectory } from './data-directory.js';
import { lockDirectory } from './directory-lock.js';
import { loadSecrets } from './secrets.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

describe('the data directory of a standalone cluster', () => {
  const temporary = temporaryDirectory();
  const modeOf = (file: string) => statSync(file).mode & 0o777;

  it('is made for its owner alone', () => {
    const root = path.join(temporary.path, 'new');
    const { nats, logs, run, secrets } = openDataDirectory(root);
    for (const directory of [root, nats, logs, run]) expect(modeOf(directory)).toBe(0o700);
    loadSecrets(secrets);
    expect(modeOf(secrets)).toBe(0o600);
    lockDirectory(root)();
  });

  it('is closed where an earlier version left it open', () => {
    const root = path.join(temporary.path, 'old');
    for (const part of ['nats', 'logs', 'run', 'worker-1']) mkdirSync(path.join(root, part), { recursive: true });
    writeFileSync(path.join(root, 'log-mark-coordinator-1.json'), '{}');
    chmodSync(root, 0o755);
    openDataDirectory(root);
    expect(modeOf(root)).toBe(0o700);
    for (const name of readdirSync(root)) expect(modeOf(path.join(root, name)) & 0o077).toBe(0);
  });

  it('stays open where it holds files of others, and Larder’s own parts are closed', () => {
    const root = path.join(temporary.path, 'shared');
    mkdirSync(path.join(root, 'nats'), { recursive: true });
    writeFileSync(path.join(root, 'theirs'), '');
    chmodSync(path.join(root, 'theirs'), 0o644);
    chmodSync(root, 0o755);
    openDataDirectory(root);
    expect([modeOf(root), modeOf(path.join(root, 'theirs')), modeOf(path.join(root, 'nats'))]).toEqual([
      0o755, 0o644, 0o700,
    ]);
  });
});
