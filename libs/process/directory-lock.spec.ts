import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DirectoryInUse, DirectoryLock, identityOf } from './index.js';

/** The steps of taking a lock. At each of them another process may be quicker. */
const steps = ['writeFileSync', 'linkSync', 'readFileSync', 'renameSync', 'rmSync'] as const;

describe('DirectoryLock', () => {
  let directory: string;
  const file = (): string => path.join(directory, 'lock');
  const dead = (token: string): string =>
    JSON.stringify({ ...identityOf(process.pid), startTime: 'of a process before', token });

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-lock-'));
  });

  afterEach(() => {
    jest.restoreAllMocks();
    fs.rmSync(directory, { recursive: true });
  });

  it('lets one process in, names it, and leaves nothing behind', () => {
    const lock = DirectoryLock.acquire(file());
    expect(() => DirectoryLock.acquire(file())).toThrow(`is held by process ${process.pid}`);
    expect(fs.readdirSync(directory)).toEqual(['lock']);
    lock.release();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('does not release a lock that is no longer its own', () => {
    const lock = DirectoryLock.acquire(file());
    fs.writeFileSync(file(), dead('of another'));
    lock.release();
    expect(fs.existsSync(file())).toBe(true);
  });

  it.each([
    ['of a process that is gone', () => dead('a')],
    ['of a boot before', () => JSON.stringify({ ...identityOf(process.pid), bootId: 'other', token: 'a' })],
    ['that is no JSON', () => ''],
    ['without a token', () => JSON.stringify({ pid: process.ppid, commandLine: 'node of old' })],
  ])('takes over a lock %s', (_, text) => {
    fs.writeFileSync(file(), text());
    DirectoryLock.acquire(file()).release();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('takes over from any number of claimants that died one after the other', () => {
    fs.writeFileSync(file(), dead('a'));
    fs.writeFileSync(`${file()}.claim-a`, dead('b'));
    fs.writeFileSync(`${file()}.claim-a.claim-b`, dead('c'));
    DirectoryLock.acquire(file()).release();
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('takes over from another process only when that one is dead', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(other, 'spawn');
    fs.writeFileSync(file(), JSON.stringify({ ...identityOf(other.pid!), token: 'a' }));
    expect(() => DirectoryLock.acquire(file())).toThrow(`is held by process ${other.pid}`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    DirectoryLock.acquire(file()).release();
  });

  describe('with several processes that find the lock of a dead one', () => {
    it.each([
      ['', []],
      [', and the claim of one that died while it took it over', ['lock.claim-a']],
    ])('lets one of three in, for any order of their steps%s', (_, claims) => {
      const outcomes = new Set<number>();
      for (let first = 0, interrupted = true; interrupted; first++) {
        for (let second = 0, inner = true; inner; second++) {
          fs.writeFileSync(file(), dead('a'));
          claims.forEach((name, index) => fs.writeFileSync(path.join(directory, name), dead(`claim ${index}`)));
          const race = raceOf(file(), [first, second]);
          ({ interrupted, inner } = race);
          outcomes.add(race.winner);
          expect({ first, second, locks: race.locks.length }).toEqual({ first, second, locks: 1 });
          race.locks[0].release();
          for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name));
        }
      }
      // The race took place: each of them was the quickest at some step.
      expect([...outcomes].sort()).toEqual([0, 1, 2]);
    });
  });
});

/**
 * Runs one starter. A second one runs before its step number `first`, and a third one before that one's step `second`.
 * @returns who got the lock (0: the first starter), all locks, and whether those steps were reached
 */
function raceOf(file: string, [first, second]: readonly [number, number]) {
  const locks: { who: number; lock: DirectoryLock }[] = [];
  const reached = [false, false];
  const left = [first, second];
  let running = -1;
  const start = (who: number): void => {
    const before = running;
    running = who;
    try {
      locks.push({ who, lock: DirectoryLock.acquire(file) });
    } catch (error) {
      if (!(error instanceof DirectoryInUse)) throw error;
    }
    running = before;
  };
  for (const name of steps) {
    const real = fs[name] as (...values: unknown[]) => unknown;
    jest.spyOn(fs, name).mockImplementation(((...values: unknown[]) => {
      const who = running;
      if (who < left.length && left[who]-- === 0) {
        reached[who] = true;
        start(who + 1);
      }
      // Thousands of locks need not be flushed to disk.
      return name === 'writeFileSync' ? real(values[0], values[1]) : real(...values);
    }) as never);
  }
  start(0);
  jest.restoreAllMocks();
  return {
    winner: locks[0]?.who,
    locks: locks.map(({ lock }) => lock),
    interrupted: reached[0],
    inner: reached[1],
  };
}
