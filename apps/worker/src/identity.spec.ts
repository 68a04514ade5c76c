import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Refusal } from '#process';
import { loadIdentity } from './identity.js';

describe('loadIdentity', () => {
  let directory: string;
  beforeEach(async () => void (directory = await mkdtemp(path.join(tmpdir(), 'larder-identity-'))));
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('makes an id once and keeps it, with a new boot id at every start', async () => {
    const nested = path.join(directory, 'a', 'b');
    const first = await loadIdentity(nested);
    const second = await loadIdentity(nested);
    expect(first.workerId).toMatch(/^worker-[0-9a-f-]{36}$/);
    expect(second.workerId).toBe(first.workerId);
    expect(second.bootId).not.toBe(first.bootId);
  });

  it.each(['', '{', '{"workerId":"worker-../x"}', '{"workerId":"other"}'])(
    'refuses %j as an identity',
    async (text) => {
      const file = path.join(directory, 'identity.json');
      await writeFile(file, text);
      await expect(loadIdentity(directory)).rejects.toThrow(Refusal);
      expect(await readFile(file, 'utf8')).toBe(text);
    },
  );

  it('refuses a directory that cannot be made, naming it', async () => {
    await writeFile(path.join(directory, 'file'), '');
    await expect(loadIdentity(path.join(directory, 'file', 'cache'))).rejects.toThrow(/^LARDER_CACHE_DIR: .*file/);
  });
});
