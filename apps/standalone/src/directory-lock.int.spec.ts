import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { commandLineOf } from '#process';
import { lockDirectory } from './directory-lock.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

describe('lockDirectory', () => {
  const directory = temporaryDirectory();
  const lockFile = () => path.join(directory.path, 'standalone.lock');

  it('refuses while another process holds the lock, names that process, and takes over when it is gone', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(other, 'spawn');
    fs.writeFileSync(lockFile(), JSON.stringify({ pid: other.pid, commandLine: commandLineOf(other.pid!) }));
    expect(() => lockDirectory(directory.path)).toThrow(`is in use by process ${other.pid}`);

    other.kill('SIGKILL');
    await once(other, 'exit');
    const unlock = lockDirectory(directory.path);
    expect(fs.readdirSync(directory.path)).toEqual(['standalone.lock']);
    unlock();
    expect(fs.readdirSync(directory.path)).toEqual([]);
  });

  it('takes over when another program has the pid of the old holder', () => {
    fs.writeFileSync(lockFile(), JSON.stringify({ pid: process.ppid, commandLine: 'node scripts/start.mjs of old' }));
    lockDirectory(directory.path)();
  });
});
