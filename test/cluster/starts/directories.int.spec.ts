import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestNats, type TestNats } from '#testing';
import { type Ended, mains, run, testKeys } from './support/run.js';

/** A user id that owns no files. */
const nobody = 65534;
const isRoot = process.getuid?.() === 0;

/** Paths that cannot be directories (relative ones are below a scratch directory), and the reasons in the message. */
const unusable: readonly [what: string, name: string, reason: RegExp][] = [
  ['a directory below /proc', '/proc/larder', /does not exist and cannot be created/],
  ['a device', '/dev/null', /is not a directory/],
  ['below a device', '/dev/null/larder', /is not a directory/],
  ['a file', 'file', /is not a directory/],
  ['below a file', 'file/deep/larder', /is not a directory/],
  ['a link to itself', 'loop', /leads to itself/],
  ['below a link to itself', 'loop/larder', /leads to itself/],
  ['a link to nothing', 'dangling', /link to a missing file/],
  ['too long a name', 'x'.repeat(300), /name is too long/],
  ['a path that a shell would expand', '~/larder', /not expanded/],
  ['blanks', '  ', /expected a directory/],
];

describe('a directory that cannot be used', () => {
  let scratch: string;
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'larder-directories-'));
    chmodSync(scratch, 0o755);
    writeFileSync(join(scratch, 'file'), 'a file of another program');
    symlinkSync('loop', join(scratch, 'loop'));
    symlinkSync('/nonexistent/larder', join(scratch, 'dangling'));
    mkdirSync(join(scratch, 'closed'), { mode: 0o700 });
    mkdirSync(join(scratch, 'read-only'), { mode: 0o555 });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const at = (name: string) => (/^[/~ ]/.test(name) ? name : join(scratch, name));
  const elsewhere = { LARDER_NATS_URL: 'nats://127.0.0.1:1', LARDER_SECRET_KEYS: testKeys, LARDER_PORT: '0' };

  const users = [
    { setting: 'LARDER_DATA_DIR', app: 'standalone' },
    { setting: 'LARDER_CACHE_DIR', app: 'worker' },
  ] as const;

  function expectOneSentence(ended: Ended, setting: string, reason: RegExp): void {
    expect(ended).toMatchObject({ code: 78, signal: null });
    const lines = ended.stderr.trim().split('\n');
    expect(lines).toEqual([expect.stringContaining(`${setting} is `)]);
    expect(lines[0]).toMatch(reason);
  }

  describe.each(users)('$setting', ({ setting, app }) => {
    const start = (name: string, options: Parameters<typeof run>[1] = {}) =>
      run(mains[app], { ...options, env: { ...elsewhere, LARDER_WORKER_PORT: '0', [setting]: at(name) } });

    it.each(unusable)('%s ends the start with one sentence and exit code 78', async (_what, name, reason) => {
      expectOneSentence(await start(name), setting, reason);
    });

    (isRoot ? it : it.skip)('a directory without permission ends the start', async () => {
      for (const name of ['closed', 'closed/larder', 'read-only', 'read-only/larder']) {
        expectOneSentence(await start(name, { uid: nobody }), setting, /permission is denied/);
      }
      expect(existsSync(join(scratch, 'read-only/larder'))).toBe(false);
    });

    (isRoot ? it : it.skip)('a directory on a read-only or full file system ends the start', async () => {
      const disk = mkdtempSync(join(scratch, 'disk-'));
      // The process has a mount namespace of its own. The mount ends with it.
      const within = (...commands: string[]) => [
        'unshare',
        '-m',
        'sh',
        '-c',
        `${commands.join(' && ')} && exec "$@"`,
        'sh',
      ];
      const readOnly = within(`mount -t tmpfs -o ro,size=1m none ${disk}`);
      expectOneSentence(await start(join(disk, 'larder'), { wrapper: readOnly }), setting, /is read-only/);
      const full = within(
        `mount -t tmpfs -o size=64k none ${disk}`,
        `(cat /dev/zero > ${disk}/zero 2>/dev/null; true)`,
      );
      const ended = await start(join(disk, 'larder'), { wrapper: full });
      expect(ended.code).toBe(78);
      expect(ended.stderr).toMatch(/no space left|ENOSPC|too full/);
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    });

    it('a directory that contains a file in place of a subdirectory ends the start', async () => {
      const parts = app === 'worker' ? ['running', 'progress', 'segments'] : ['nats', 'logs', 'run'];
      for (const part of parts) {
        mkdirSync(join(scratch, `${app}-${part}`));
        writeFileSync(join(scratch, `${app}-${part}`, part), 'a file in its place');
        const ended = await start(`${app}-${part}`);
        expect({ part, ...ended }).toMatchObject({ code: 78 });
        expect(ended.stderr.trim().split('\n')).toEqual([expect.stringContaining(setting)]);
      }
    });
  });

  it('LARDER_LOG_MARK: a path that cannot be written ends the start before the first connection to NATS', async () => {
    const env = (file: string) => ({ ...elsewhere, LARDER_LOG_MARK: at(file) });
    mkdirSync(join(scratch, 'directory'));
    for (const [file, reason] of [
      ['nowhere/mark.json', /does not exist/],
      ['file/mark.json', /is not a directory/],
      ['directory', /not an ordinary file/],
      ['/dev/null', /not an ordinary file/],
      ['loop', /leads to itself/],
      ['/proc/larder-mark', /cannot be/],
    ] as const) {
      expectOneSentence(await run(mains.coordinator, { env: env(file) }), 'LARDER_LOG_MARK', reason);
    }
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    if (!isRoot) return;
    const ended = await run(mains.coordinator, { env: env('read-only/mark.json'), uid: nobody });
    expectOneSentence(ended, 'LARDER_LOG_MARK', /permission is denied/);
  });

  describe('larder backup --out', () => {
    let nats: TestNats;
    beforeAll(async () => void (nats = await startTestNats()));
    afterAll(() => nats?.stop());

    it('names the problem with the directory of the file and exits with 78', async () => {
      for (const [file, reason] of [
        ['nowhere/backup.gz', /does not exist/],
        ['file/backup.gz', /is not a directory/],
        ['loop', /leads to itself/],
        ['/proc/larder.gz', /cannot be/],
        ['/dev/null', /not an ordinary file/],
      ] as const) {
        const ended = await run(mains.cli, { args: ['backup', '--nats', nats.url, '--out', at(file)] });
        expectOneSentence(ended, '--out', reason);
      }
    });
  });
});
