import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StoreFixture } from '../fixtures/store-fixture.js';

const run = promisify(execFile);
const BUILT = join(process.cwd(), 'dist/libs/cache-store/index.js');
const SCENARIO = join(process.cwd(), 'libs/cache-store/fixtures/disk-full.mjs');
const SMALL_DISK = 'size=16m';

interface Inspection {
  wrong: number;
  visible: number;
  objects: number;
  temporary: number;
  diskBytes: number;
  bytesOnDisk: number;
}

interface Result {
  unhandled: string[];
  small: Record<string, number>;
  lastSmallIsThere: boolean;
  afterSmall: Inspection;
  large: Record<string, number>;
  lastLargeIsThere: boolean;
  afterLarge: Inspection;
  own: Record<string, number>;
  firstOwnIsThere: boolean;
  afterOwn: Inspection;
  fillerStoppedBy: string;
  putOnFull: string;
  deleteOnFull: boolean;
  afterFull: Inspection;
  reopened: Inspection;
  putWhenFreed: string;
  end: Inspection;
  rounds: Record<string, number>[];
  afterRounds: Inspection;
}

describe('fault 7: the file system is full', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it('evicts or fails that object, leaves nothing behind, and goes on', async () => {
    await access(BUILT); // `npm run build` makes it
    const mount = await fixture.directory();
    // A mount namespace of its own: the small file system goes when the process does. Root or an unprivileged user
    // namespace is needed; where there is neither, this test has to fail rather than show nothing.
    const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
    const script = `mount -t tmpfs -o ${SMALL_DISK} tmpfs "$1" && exec "$0" "$2" "$3" "$1"`;
    const args = [...namespace, 'sh', '-c', script, process.execPath, mount, SCENARIO, BUILT];
    const { stdout } = await run('unshare', args, { maxBuffer: 1 << 24 });
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Result;

    expect(result.unhandled).toEqual([]);
    expect(result.small).toEqual({ ok: 2000 });
    expect(result.lastSmallIsThere).toBe(true);
    expect(result.large).toEqual({ ok: 20 });
    expect(result.lastLargeIsThere).toBe(true);
    expect(result.own.ok).toBeGreaterThan(0);
    expect(result.own.DiskFullError).toBeGreaterThan(0);
    expect(Object.keys(result.own).sort()).toEqual(['DiskFullError', 'ok']);
    expect(result.firstOwnIsThere).toBe(true);
    expect(result.fillerStoppedBy).toBe('ENOSPC');
    expect(result.putOnFull).toBe('ok');
    expect(result.deleteOnFull).toBe(true);
    expect(result.putWhenFreed).toBe('ok');
    const { afterSmall, afterLarge, afterOwn, afterFull, reopened, end, afterRounds } = result;
    for (const state of [afterSmall, afterLarge, afterOwn, afterFull, reopened, end, afterRounds]) {
      expect(state).toMatchObject({ wrong: 0, temporary: 0, objects: state.visible, diskBytes: state.bytesOnDisk });
      expect(state.visible).toBeGreaterThan(0);
    }
    expect(reopened.visible).toBe(afterFull.visible);
    const [first, ...later] = result.rounds;
    expect(first.ok).toBeGreaterThan(3000);
    for (const round of later) expect(round.ok).toBeGreaterThan(0.75 * first.ok);
  }, 120_000);
});
