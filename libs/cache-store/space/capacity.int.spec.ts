import fc from 'fast-check';
import { type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { content, dataFiles, StoreFixture } from '../fixtures/store-fixture.js';
import { CacheFullError, type CacheRead, type CacheStore } from '../index.js';

const KIB = 1 << 10;

/** The calls that the store received, and what it must therefore hold or have evicted. */
interface Known {
  seed: number;
  sizeBytes: number;
  jobId?: string;
  /** Order of the last access. */
  tick: number;
}

type Step =
  | { kind: 'put' | 'create' | 'abort'; path: string; sizeBytes: number; jobId?: string }
  | { kind: 'together'; paths: string[]; sizeBytes: number; jobId?: string }
  | { kind: 'delete' | 'read' | 'hold'; path: string }
  | { kind: 'letGo' | 'reopen' };

const path = fc.constantFrom('a', 'a/b', 'a/😀', 'b', '../c', 'c\0', 'd', 'e', 'f', 'g', 'h', 'i');
const jobId = fc.constantFrom(undefined, 'job-1', 'job-2');
const sizeBytes = fc.oneof(fc.nat(8 * KIB), fc.integer({ min: 8 * KIB, max: 40 * KIB }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('put', 'create', 'abort'), path, sizeBytes, jobId }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('together'),
      paths: fc.array(path, { minLength: 1, maxLength: 8 }),
      sizeBytes: fc.nat(8 * KIB),
      jobId,
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('delete', 'read', 'hold'), path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('letGo', 'reopen') }) },
);

/** Runs steps against a store and compares its answers with the calls so far. */
class Run {
  private readonly known = new Map<string, Known>();
  private readonly held: { read: CacheRead; known: Known }[] = [];
  private store!: CacheStore;
  private tick = 0;

  constructor(
    private readonly fixture: StoreFixture,
    private readonly directory: string,
    private readonly capacityBytes: number,
  ) {}

  async open(): Promise<void> {
    const { directory, capacityBytes } = this;
    this.store = await this.fixture.open({ directory, capacityBytes });
  }

  /** Also while an operation is under way, capacity is kept. */
  async apply(step: Step): Promise<void> {
    let done = false;
    const applied = this.applyStep(step).finally(() => (done = true));
    let highest = 0;
    while (!done) {
      highest = Math.max(highest, this.store.stats().diskBytes);
      await new Promise(setImmediate);
    }
    await applied;
    expect(highest).toBeLessThanOrEqual(this.capacityBytes);
  }

  private async applyStep(step: Step): Promise<void> {
    switch (step.kind) {
      case 'put':
      case 'create':
      case 'abort':
        return this.write(step.kind, step.path, step.sizeBytes, step.jobId);
      case 'together': {
        const before = this.tick;
        await Promise.all(step.paths.map((path) => this.write('put', path, step.sizeBytes, step.jobId, false)));
        // Which of those that succeeded was last is anyone's guess.
        for (const known of this.known.values()) if (known.tick > before) known.tick = this.tick;
        return this.noticeEvictions(step.jobId, new Set(step.paths));
      }
      case 'delete':
        expect(await this.store.delete(step.path)).toBe(this.known.delete(step.path));
        return;
      case 'read':
        return this.read(step.path);
      case 'hold': {
        const read = this.store.read(step.path);
        const known = this.known.get(step.path);
        expect(read !== undefined).toBe(known !== undefined);
        if (read && known) this.held.push({ read, known: { ...known, tick: (known.tick = ++this.tick) } });
        return;
      }
      case 'letGo':
        return this.letGo();
      case 'reopen':
        await this.letGo();
        await this.store.close();
        return this.open();
    }
  }

  async finish(): Promise<void> {
    await this.letGo();
    await this.checkTotals();
    for (const path of this.known.keys()) await this.read(path);
    await this.store.close();
  }

  /** At rest: the totals equal what is there, to the byte. */
  async checkTotals(): Promise<void> {
    const entries = [...this.store.entries('')];
    const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    expect(entries.map(({ path }) => path)).toEqual([...this.known.keys()].sort(byBytes));
    const { usedBytes, diskBytes, objects } = this.store.stats();
    expect(objects).toBe(entries.length);
    expect(usedBytes).toBe(entries.reduce((sum, entry) => sum + entry.sizeBytes, 0));
    expect(diskBytes).toBe((await dataFiles(this.directory)).bytes);
    expect(diskBytes).toBeLessThanOrEqual(this.capacityBytes);
  }

  private async write(kind: 'put' | 'create' | 'abort', path: string, sizeBytes: number, jobId?: string, alone = true) {
    const seed = ++this.tick;
    const bytes = content(seed, sizeBytes);
    const object = { path, version: String(seed), jobId };
    try {
      if (kind === 'put') {
        await this.store.put(object, bytes);
      } else {
        const writer = await this.store.create(object, sizeBytes);
        for (let offset = 0; offset < sizeBytes; offset += 3000)
          await writer.write(bytes.subarray(offset, offset + 3000));
        if (kind === 'abort') await writer.abort();
        else await writer.commit();
      }
      if (kind !== 'abort') this.known.set(path, { seed, sizeBytes, jobId, tick: seed });
    } catch (error) {
      expect(error).toBeInstanceOf(CacheFullError);
    }
    if (alone) this.noticeEvictions(jobId, new Set([path]));
  }

  /** Evicted is what was used least recently, and nothing of the job that asked. */
  private noticeEvictions(jobId: string | undefined, written: Set<string>): void {
    let latestEvicted = 0;
    for (const [path, known] of this.known) {
      if (this.store.get(path) !== undefined) continue;
      if (jobId !== undefined && !written.has(path)) expect(known.jobId).not.toBe(jobId);
      latestEvicted = Math.max(latestEvicted, known.tick);
      this.known.delete(path);
    }
    if (this.held.length > 0 || written.size > 1) return; // those being read are passed over
    for (const [path, known] of this.known) {
      if (written.has(path) || (jobId !== undefined && known.jobId === jobId)) continue;
      expect({ path, after: known.tick >= latestEvicted }).toEqual({ path, after: true });
    }
  }

  private async read(path: string): Promise<void> {
    const read = this.store.read(path);
    const known = this.known.get(path);
    expect(read !== undefined).toBe(known !== undefined);
    if (!read || !known) return;
    known.tick = ++this.tick;
    await expectBytes(read.stream(), known);
  }

  private async letGo(): Promise<void> {
    for (const { read, known } of this.held.splice(0)) await expectBytes(read.stream(), known);
    // A stream gives its pin back after it has ended; the file it kept is then removed.
    while ((await dataFiles(this.directory)).bytes !== this.store.stats().diskBytes || this.pinned()) {
      await new Promise(setImmediate);
    }
  }

  /** Whether a stream has ended but not yet let go of its file. */
  private pinned(): boolean {
    const { segments, objects } = (this.store as unknown as { parts: { storage: Pinned } }).parts.storage;
    return segments.pins.counts.size + objects.pins.counts.size > 0;
  }
}

interface Pinned {
  segments: { pins: { counts: Map<number, number> } };
  objects: { pins: { counts: Map<number, number> } };
}

async function expectBytes(stream: Readable, { seed, sizeBytes }: Known): Promise<void> {
  expect((await buffer(stream)).equals(content(seed, sizeBytes))).toBe(true);
}

describe('capacity', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it('holds after any sequence of operations, with exact totals and whole objects', async () => {
    const capacity = fc.integer({ min: 20 * KIB, max: 150 * KIB });
    const property = fc.asyncProperty(capacity, fc.array(step, { maxLength: 60 }), async (capacityBytes, steps) => {
      const run = new Run(fixture, await fixture.directory(), capacityBytes);
      await run.open();
      for (const step of steps) {
        await run.apply(step);
        await run.checkTotals();
      }
      await run.finish();
      await fixture.cleanUp();
    });
    await fc.assert(property, { numRuns: 60 });
  }, 120_000);
});
