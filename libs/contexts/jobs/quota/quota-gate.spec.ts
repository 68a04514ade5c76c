import { HashRing } from '#hash-ring';
import { DomainError } from '#kernel';
import type { SourceFile } from '../kinds/index.js';
import { QuotaGate, type QuotaGatePorts } from './quota-gate.js';

const ring = new HashRing(['w1', 'w2']);
const at = { pass: 'main' as const, step: 0 };
const quotaPath = 's3://bkt/dir';
const file = (name: string, sizeBytes: number): SourceFile => ({
  path: `${quotaPath}/${name}`,
  sizeBytes,
  version: 'v',
});

/** One quota of 100 bytes, with a fill and copies at workers that a test sets. */
class Fixture {
  filled = 0;
  exact = true;
  counted = true;
  setAside = 0;
  /** Runs while all workers are asked. @returns whether all of them answer */
  onRefresh: () => boolean = () => true;
  readonly held = new Map<string, number>();
  readonly reserved: Record<string, number>[] = [];
  conflicts = 0;
  readonly abortion = new AbortController();
  readonly gate: QuotaGate;

  constructor(onWait: () => void = () => undefined) {
    const ports: QuotaGatePorts = {
      jobId: 'j',
      ledger: {
        quotasOf: (path) =>
          path.startsWith(`${quotaPath}/`) ? [{ path: '/data/dir', ufsPath: quotaPath, value: 100 }] : [],
        exceeded: () => 'the quota of /data/dir (100 bytes) would be exceeded',
        isCounted: () => this.counted,
        refresh: () => Promise.resolve(this.onRefresh()),
        limit: () => 100,
        estimate: (_path, except) => this.filled + (except === 'j' ? 0 : this.setAside),
        isExact: () => {
          const answer = this.exact;
          onWait();
          return answer;
        },
      },
      workers: {
        lookup: (workerId, paths) =>
          Promise.resolve(
            paths.map((path) => {
              const size = this.held.get(`${workerId} ${path}`);
              return size === undefined ? null : [size, 'v'];
            }),
          ),
      },
      reserve: (_pass, _step, bytes) => {
        if (this.conflicts-- > 0) {
          this.filled += 50;
          return Promise.reject(new DomainError('StaleVersion', 'stale-version', 'stale'));
        }
        this.reserved.push(bytes);
        this.setAside = bytes[quotaPath] ?? 0;
        return Promise.resolve();
      },
      stat: (path) => Promise.resolve({ path, sizeBytes: 70, version: 'v' }),
      signal: this.abortion.signal,
    };
    this.gate = new QuotaGate(ports);
  }

  async admit(files: SourceFile[], replicas = 1) {
    const { files: admitted, refused, error } = await this.gate.admit(at, files, ring, replicas);
    return { admitted: admitted.map(({ path }) => path.slice(quotaPath.length + 1)), refused, error };
  }
}

it('the gate admits files that fit, and reserves their room', async () => {
  const fixture = new Fixture();
  await expect(fixture.admit([file('a', 60), file('b', 40)])).resolves.toMatchObject({ admitted: ['a', 'b'] });
  expect(fixture.reserved).toEqual([{ [quotaPath]: 100 }]);
});

it('the gate refuses files that do not fit, and those behind them, with the reason', async () => {
  const fixture = new Fixture();
  const { admitted, refused, error } = await fixture.admit([file('a', 60), file('b', 60), file('c', 1)]);
  expect(admitted).toEqual(['a']);
  expect(refused.map(({ path }) => path)).toEqual([`${quotaPath}/b`, `${quotaPath}/c`]);
  expect(error).toBe('the quota of /data/dir (100 bytes) would be exceeded');
});

it('the gate admits files without a quota', async () => {
  const outside = { path: 's3://bkt/other', sizeBytes: 1000, version: 'v' };
  const { admitted, refused } = await new Fixture().admit([outside]);
  expect([admitted.length, refused.length]).toEqual([1, 0]);
});

it('the gate counts each copy minus the copy that it replaces', async () => {
  const fixture = new Fixture();
  for (const workerId of ring.members) fixture.held.set(`${workerId} ${quotaPath}/a`, 50);
  await fixture.admit([file('a', 60), file('b', 40)], 2);
  expect(fixture.reserved).toEqual([{ [quotaPath]: 2 * 10 + 2 * 40 }]);
});

it('a full directory can be loaded again', async () => {
  const fixture = new Fixture();
  fixture.filled = 100;
  for (const workerId of ring.members) fixture.held.set(`${workerId} ${quotaPath}/a`, 100);
  await expect(fixture.admit([file('a', 100)])).resolves.toMatchObject({ admitted: ['a'], refused: [] });
});

it('files that add no bytes may be loaded even when a quota was lowered below the bytes held', async () => {
  const fixture = new Fixture();
  fixture.filled = 200;
  for (const workerId of ring.members) fixture.held.set(`${workerId} ${quotaPath}/a`, 60);
  // eslint-disable-next-line @typescript-eslint/require-await -- a page that is already there
  async function* page(): AsyncGenerator<SourceFile[]> {
    yield [file('a', 60)];
  }
  await expect(fixture.gate.preflight(page(), ring, 1)).resolves.toBeUndefined();
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: ['a'], refused: [] });
});

it('the gate asks for the size when the source does not tell it', async () => {
  const { admitted, refused } = await new Fixture().admit([file('a', -1), file('b', -1)]);
  expect([admitted, refused.length]).toEqual([['a'], 1]);
});

it('the gate refuses nothing while bytes are on their way', async () => {
  const fixture: Fixture = new Fixture(() => {
    fixture.exact = true;
    fixture.filled = 0;
  });
  fixture.exact = false;
  fixture.filled = 100;
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: ['a'], refused: [] });
});

it('the gate looks again when another job reserved first', async () => {
  const fixture = new Fixture();
  fixture.conflicts = 1;
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: [], refused: [{ attempts: 0 }] });
});

it('the gate measures a whole walk before it begins', async () => {
  // eslint-disable-next-line @typescript-eslint/require-await -- pages that are already there
  async function* pages(...sizes: number[]): AsyncGenerator<SourceFile[]> {
    for (const [i, size] of sizes.entries()) yield [file(String(i), size)];
  }
  await expect(new Fixture().gate.preflight(pages(60, 40), ring, 1)).resolves.toBeUndefined();
  await expect(new Fixture().gate.preflight(pages(60, 41), ring, 1)).resolves.toMatch(/would be exceeded/);
});

it('the gate releases room that a worker was granted at the same moment, and decides again', async () => {
  const fixture = new Fixture();
  fixture.onRefresh = () => {
    // The claim shows only after the reservation has been written.
    if (fixture.reserved.length === 1) fixture.filled = 50;
    return true;
  };
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: [], refused: [{ attempts: 0 }] });
  expect(fixture.reserved).toEqual([{ [quotaPath]: 60 }, {}]);
});

it('the reservation of a crashed owner for the same stretch does not count', async () => {
  const fixture = new Fixture();
  fixture.setAside = 100;
  await expect(fixture.admit([file('a', 100)])).resolves.toMatchObject({ admitted: ['a'], refused: [] });
});

it('the gate neither admits nor refuses while a worker does not tell its bytes', async () => {
  const fixture = new Fixture();
  const answers = [false, false, true];
  fixture.onRefresh = () => {
    expect(fixture.reserved).toEqual(answers.length > 0 ? [] : [{ [quotaPath]: 60 }]);
    return answers.shift() ?? true;
  };
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: ['a'] });
  expect(answers).toEqual([]);
});

it('the gate waits until all workers count below a quota that was just set', async () => {
  const fixture = new Fixture();
  fixture.counted = false;
  let looks = 0;
  fixture.onRefresh = () => {
    if (++looks === 3) Object.assign(fixture, { counted: true, filled: 50 });
    return true;
  };
  await expect(fixture.admit([file('a', 60)])).resolves.toMatchObject({ admitted: [], refused: [{ attempts: 0 }] });
});
