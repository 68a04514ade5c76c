import fc from 'fast-check';
import { expectConsistent, openParts } from '../fixtures/consistency.js';
import { content, readWhole, StoreFixture } from '../fixtures/store-fixture.js';
import { CacheFullError, type CachePolicies, type CacheStore } from '../index.js';

const KIB = 1 << 10;
const CAPACITY = 120 * KIB;
const FOLDERS = ['s3://b/x', 's3://b/y', 'file:///z'] as const;
const PATHS = [
  ...['s3://b/x', 's3://b/x/', 's3://b/x/1', 's3://b/x/d/2', 's3://b/x//3', 's3://b/x/d/e/f/4', 's3://b/x5'],
  ...['s3://b/y/1', 's3://b/y/2', 's3://b/y/d/3', 's3://b/y/d/é', 's3://b/y/😀/'],
  ...['file:///z/1', 'file:///z/d/2', 'file:///z/d/3', 'plain', '/rooted/1', 's3:///noauthority'],
];

type Tier = 0 | 1 | 2;
/** Per folder. */
type Rules = { tier: Tier; ttlSeconds: number | undefined }[];

/** What the store was told of one path, and what it must therefore know. */
interface Known {
  sizeBytes: number;
  jobId?: string;
  replicas: number;
  metadataOnly: boolean;
  loadedAtMs: number;
  tick: number;
}

interface Write {
  path: string;
  sizeBytes: number;
  jobId: string | undefined;
}

type Step =
  | ({ kind: 'put' | 'create' | 'metadata' } & Write)
  | { kind: 'together'; writes: Write[] }
  | { kind: 'delete' | 'read'; path: string }
  | { kind: 'policies'; rules: Rules }
  | { kind: 'clock'; byMs: number }
  | { kind: 'index'; add: boolean; paths: string[] }
  | { kind: 'reopen'; policiesAtOnce: boolean };

const path = fc.constantFrom(...PATHS);
const write = fc.record({
  path,
  sizeBytes: fc.oneof(fc.nat(6 * KIB), fc.integer({ min: 6 * KIB, max: 30 * KIB })),
  jobId: fc.constantFrom(undefined, undefined, 'job-1', 'job-2'),
});
const rule = fc.record({
  tier: fc.constantFrom<Tier>(0, 1, 2),
  ttlSeconds: fc.constantFrom(undefined, 5, 60, 0.5, 3600),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(fc.constantFrom('put', 'create', 'metadata'), write)
      .map(([kind, object]) => ({ kind, ...object })),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('together'),
      writes: fc.uniqueArray(write, { minLength: 2, maxLength: 8, selector: ({ path }) => path }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('delete', 'read'), path }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('policies'), rules: fc.tuple(rule, rule, rule) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('clock'),
      byMs: fc.oneof(fc.integer({ min: 0, max: 6000 }), fc.integer({ min: -100_000, max: 100_000 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('index'), add: fc.boolean(), paths: fc.array(path, { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen'), policiesAtOnce: fc.boolean() }) },
);

/** Runs steps against a store and compares its answers with the calls so far. */
class Run {
  private readonly known = new Map<string, Known>();
  private readonly indexed = new Set<string>();
  private rules: Rules | undefined;
  private nowMs = 1_700_000_000_000;
  private tick = 0;
  private store!: CacheStore;
  /** Since the store was opened. */
  private evicted = 0;
  private expired = 0;

  constructor(
    private readonly fixture: StoreFixture,
    private readonly directory: string,
  ) {}

  async open(policiesAtOnce = true): Promise<void> {
    this.store = await this.fixture.open({
      directory: this.directory,
      capacityBytes: CAPACITY,
      clock: () => this.nowMs,
      ...(policiesAtOnce && this.rules ? { policies: this.policies() } : {}),
    });
    if (!policiesAtOnce && this.rules) this.store.setPolicies(this.policies());
    this.evicted = 0;
    this.expired = 0;
  }

  async apply(step: Step): Promise<void> {
    await this.applyStep(step);
    await openParts(this.store).expiry.run();
    this.expireInModel();
    await this.check();
  }

  private async applyStep(step: Step): Promise<void> {
    switch (step.kind) {
      case 'put':
      case 'create':
        return this.writeAlone(step.kind, step);
      case 'metadata':
        return this.putMetadata(step);
      case 'together': {
        const before = this.tick;
        await Promise.all(step.writes.map((object) => this.write('put', object)));
        // Which of them was last is anyone's guess.
        for (const known of this.known.values()) if (known.tick > before) known.tick = this.tick;
        this.noticeEvictions(step.writes);
        return;
      }
      case 'delete':
        expect(await this.store.delete(step.path)).toBe(this.known.has(step.path));
        // A path that is in the file index only is none of the cache's.
        if (this.known.delete(step.path)) this.indexed.delete(step.path);
        return;
      case 'read':
        return this.read(step.path);
      case 'policies':
        this.rules = step.rules;
        this.store.setPolicies(this.policies());
        return;
      case 'clock':
        this.nowMs += step.byMs;
        return;
      case 'index': {
        const { fileIndex } = this.store;
        const results = await (step.add ? fileIndex.add(step.paths) : fileIndex.remove(step.paths));
        const set = this.indexed;
        const change = (path: string) => set.has(path) !== step.add && (step.add ? !!set.add(path) : set.delete(path));
        expect(results).toEqual(step.paths.map(change));
        return;
      }
      case 'reopen':
        await this.store.close();
        return this.open(step.policiesAtOnce);
    }
  }

  private ruleOf(path: string): Rules[number] {
    const at = FOLDERS.findIndex((folder) => path === folder || path.startsWith(`${folder}/`));
    return this.rules?.[at] ?? { tier: 1, ttlSeconds: undefined };
  }

  private policies(): CachePolicies {
    return { tierOf: (path) => this.ruleOf(path).tier, ttlSecondsOf: (path) => this.ruleOf(path).ttlSeconds };
  }

  private async write(kind: 'put' | 'create', { path, sizeBytes, jobId }: Write): Promise<boolean> {
    const tick = ++this.tick;
    const replicas = 1 + (tick % 3);
    const object = { path, version: String(tick), jobId, replicas };
    const bytes = content(tick, sizeBytes);
    try {
      if (kind === 'put') {
        await this.store.put(object, bytes);
      } else {
        const writer = await this.store.create(object, sizeBytes);
        await writer.write(bytes);
        await writer.commit();
      }
    } catch (error) {
      expect(error).toBeInstanceOf(CacheFullError);
      return false;
    }
    this.known.set(path, { sizeBytes, jobId, replicas, metadataOnly: false, loadedAtMs: this.nowMs, tick });
    this.indexed.add(path);
    return true;
  }

  /** Eviction takes the lower tier first, within it what was used least recently, and nothing above the newcomer's tier. */
  private async writeAlone(kind: 'put' | 'create', object: Write): Promise<void> {
    const stored = await this.write(kind, object);
    const gone = this.noticeEvictions([object]);
    const { tier } = this.ruleOf(object.path);
    const evictable = [...this.known].filter(
      ([path, { jobId, metadataOnly }]) =>
        !(stored && path === object.path) &&
        !metadataOnly &&
        this.ruleOf(path).tier <= tier &&
        (object.jobId === undefined || jobId !== object.jobId),
    );
    if (!stored) expect(evictable).toEqual([]);
    for (const [path, { tick }] of evictable) {
      for (const lost of gone) {
        const after = this.ruleOf(path).tier - this.ruleOf(lost.path).tier || tick - lost.tick;
        expect({ path, lost: lost.path, inOrder: after >= 0 }).toEqual({ path, lost: lost.path, inOrder: true });
      }
    }
  }

  private noticeEvictions(writes: Write[]): (Known & { path: string })[] {
    const gone: (Known & { path: string })[] = [];
    const tier = Math.max(...writes.map(({ path }) => this.ruleOf(path).tier));
    const jobs = new Set(writes.map(({ jobId }) => jobId));
    for (const [path, known] of this.known) {
      if (this.store.get(path) !== undefined) continue;
      gone.push({ path, ...known });
      this.known.delete(path);
      this.indexed.delete(path);
      expect(known.metadataOnly).toBe(false);
      expect(this.ruleOf(path).tier).toBeLessThanOrEqual(tier);
      if (jobs.size === 1 && known.jobId !== undefined) expect(jobs).not.toContain(known.jobId);
    }
    this.evicted += gone.length;
    // Copies that came and went within one group are not seen here.
    expect(this.store.stats().evictedObjects).toBeGreaterThanOrEqual(this.evicted);
    this.evicted = this.store.stats().evictedObjects;
    return gone;
  }

  private async putMetadata({ path, sizeBytes, jobId }: Write): Promise<void> {
    const tick = ++this.tick;
    await this.store.putMetadata({ path, version: String(tick), jobId }, sizeBytes);
    if (this.known.get(path)?.metadataOnly === false) this.indexed.delete(path);
    this.known.set(path, { sizeBytes, jobId, replicas: 1, metadataOnly: true, loadedAtMs: this.nowMs, tick });
  }

  private async read(path: string): Promise<void> {
    const known = this.known.get(path);
    const bytes = await readWhole(this.store, path);
    expect(bytes !== undefined).toBe(known?.metadataOnly === false);
    if (!bytes || !known) return;
    expect(bytes.equals(content(Number(this.store.get(path)?.version), known.sizeBytes))).toBe(true);
    known.tick = ++this.tick;
    // A stream lets go of its file after it has ended; until then nothing in it would be evicted.
    const { segments, objects } = openParts(this.store).storage;
    while (segments.pins.counts.size + objects.pins.counts.size > 0) await new Promise(setImmediate);
  }

  private expireInModel(): void {
    for (const [path, { loadedAtMs, metadataOnly }] of this.known) {
      const { ttlSeconds } = this.ruleOf(path);
      if (ttlSeconds === undefined || loadedAtMs + ttlSeconds * 1000 > this.nowMs) continue;
      this.known.delete(path);
      this.indexed.delete(path);
      if (!metadataOnly) this.expired++;
    }
    expect(this.store.stats().expiredObjects).toBe(this.expired);
  }

  private async check(): Promise<void> {
    const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    const entries = [...this.store.entries('')];
    const actual = entries.map(({ path, sizeBytes, loadedAtMs, replicas, metadataOnly = false }) => {
      return { path, sizeBytes, loadedAtMs, replicas, metadataOnly };
    });
    const expected = [...this.known].map(([path, { sizeBytes, loadedAtMs, replicas, metadataOnly }]) => {
      return { path, sizeBytes, loadedAtMs, replicas, metadataOnly };
    });
    expect(actual).toEqual(expected.sort((a, b) => byBytes(a.path, b.path)));
    expect(this.store.fileIndex.list({ limit: 1000 })).toEqual([...this.indexed].sort(byBytes));
    expect(this.store.fileIndex.count()).toBe(this.indexed.size);
    await expectConsistent(this.store, this.directory);
  }
}

describe('policies', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it('hold for eviction and expiry after any sequence of operations, with exact usage and file index', async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const run = new Run(fixture, await fixture.directory());
      await run.open();
      for (const step of steps) await run.apply(step);
      await fixture.cleanUp();
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
