import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeFileRoot } from './mount-root.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'larder-probe-'));
  await chmod(root, 0o755);
});

afterEach(() => rm(root, { recursive: true }));

/** Root may read everything: when run as root, the probe runs as the user `nobody`. */
async function withoutPrivileges<T>(run: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await run();
  process.seteuid?.(65534);
  try {
    return await run();
  } finally {
    process.seteuid?.(0);
  }
}

it.each(['', '/', '/dir', '/link'])('a readable directory gives no warning: %j', async (name) => {
  await mkdir(join(root, 'dir'));
  await symlink(join(root, 'dir'), join(root, 'link'));
  expect(await probeFileRoot(`file://${root}${name}`)).toBeUndefined();
});

it.each(['none', 'dangling', 'file/below'])('%s is no directory: a warning, because that may change', async (name) => {
  await writeFile(join(root, 'file'), 'x');
  await symlink(join(root, 'nowhere'), join(root, 'dangling'));
  expect(await probeFileRoot(`file://${root}/${name}`)).toBe(`There is no such directory: file://${root}/${name}.`);
});

it.each(['000', '101', '404'])(
  'a directory of mode %s that cannot be read gives a warning, and is not refused',
  async (mode) => {
    const directory = join(root, 'closed');
    await mkdir(directory);
    await chmod(directory, parseInt(mode, 8));
    const warning = await withoutPrivileges(() => probeFileRoot(`file://${directory}`));
    await chmod(directory, 0o700);
    expect(warning).toBe(`Permission denied (EACCES): file://${directory}.`);
  },
);

it('a regular file can never be a mount', async () => {
  await writeFile(join(root, 'file'), 'x');
  await expect(probeFileRoot(`file://${root}/file/`)).rejects.toThrow('A file mount must be a directory');
});
