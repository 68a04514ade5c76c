import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expectConsistent } from './fixtures/consistency.js';
import { content, dataFiles, readWhole, StoreFixture } from './fixtures/store-fixture.js';

const ROUNDS = 25;
const CAPACITY_BYTES = 6 << 20;
const BUILT = join(process.cwd(), 'dist/libs/cache-store/index.js');
const WRITER = join(process.cwd(), 'libs/cache-store/fixtures/crash-writer.mjs');

/** A state a path may be in: a seed and size, or gone. */
interface State {
  seed: number;
  sizeBytes: number;
}

/** Follows what the writer says. Later states than the acknowledged one may have come true or not. */
class Ledger {
  private readonly possible = new Map<string, State[]>();
  private readonly acknowledged = new Map<string, State>();
  lastSeed = 0;
  acknowledgements = 0;

  note(line: string): void {
    const [word, path, seedText, sizeText] = line.split(' ');
    if (word === 'open' || path === undefined) return;
    const state = { seed: Number(seedText), sizeBytes: Number(sizeText) };
    this.lastSeed = Math.max(this.lastSeed, state.seed);
    if (word === 'try') {
      this.possible.set(path, [...(this.possible.get(path) ?? []), state]);
    } else {
      this.acknowledgements++;
      const acknowledged = word === 'gone' ? { ...state, sizeBytes: -1 } : state;
      this.acknowledged.set(path, acknowledged);
      this.possible.set(path, [acknowledged]);
    }
  }

  paths(): Iterable<string> {
    return this.possible.keys();
  }

  states(path: string): State[] {
    return this.possible.get(path) ?? [];
  }

  /** What the store said it was after a crash is what it is from now on. */
  settle(path: string, state: State | undefined): void {
    if (state) this.possible.set(path, [state]);
    else this.possible.delete(path);
    this.acknowledged.delete(path);
  }

  lastAcknowledged(path: string): State | undefined {
    return this.acknowledged.get(path);
  }
}

describe('fault 2: kill -9 at any moment', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it(`leaves a cache with every acknowledged object, and with no partial one (${ROUNDS} rounds)`, async () => {
    await access(BUILT); // `npm run build` makes it
    const directory = await fixture.directory();
    const ledger = new Ledger();
    let evictedAcknowledged = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await runAndKill(directory, ledger, 5 + Math.floor(Math.random() * 150));
      const store = await fixture.open({ directory, capacityBytes: CAPACITY_BYTES, packedObjectMaxBytes: 32 << 10 });
      const { usedBytes, objects, diskBytes } = store.stats();
      expect(fixture.log).toEqual([]); // no entry without its bytes, no damaged index
      expect(diskBytes).toBe((await dataFiles(directory)).bytes);
      expect(diskBytes).toBeLessThanOrEqual(CAPACITY_BYTES);
      await expectConsistent(store, directory);
      const entries = [...store.entries('')];
      expect(store.fileIndex.list({ limit: 1000 })).toEqual(entries.map(({ path }) => path));
      expect(entries).toHaveLength(objects);
      expect(usedBytes).toBe(entries.reduce((sum, entry) => sum + entry.sizeBytes, 0));
      for (const { path, version, sizeBytes } of entries) {
        const state = ledger.states(path).find(({ seed }) => seed === Number(version));
        expect({ path, version, sizeBytes }).toEqual({
          path,
          version: String(state?.seed),
          sizeBytes: state?.sizeBytes,
        });
        expect((await readWhole(store, path))?.equals(content(state!.seed, sizeBytes))).toBe(true);
      }
      const present = new Map(entries.map((entry) => [entry.path, Number(entry.version)]));
      for (const path of [...ledger.paths()]) {
        const acknowledged = ledger.lastAcknowledged(path);
        const seed = present.get(path);
        if (acknowledged && acknowledged.sizeBytes >= 0 && seed === undefined) evictedAcknowledged++;
        ledger.settle(
          path,
          ledger.states(path).find((state) => state.seed === seed),
        );
      }
      await store.close();
    }
    expect(ledger.acknowledgements).toBeGreaterThan(ROUNDS);
    expect(evictedAcknowledged).toBeLessThan(ledger.acknowledgements);
  }, 120_000);

  it('loses no acknowledged object when nothing had to be evicted', async () => {
    const directory = await fixture.directory();
    const ledger = new Ledger();
    const capacityBytes = 1 << 30;
    for (let round = 0; round < 8; round++) {
      await runAndKill(directory, ledger, 20 + Math.floor(Math.random() * 100), capacityBytes);
      const store = await fixture.open({ directory, capacityBytes });
      for (const path of [...ledger.paths()]) {
        const version = Number(store.get(path)?.version);
        const acknowledged = ledger.lastAcknowledged(path);
        const possible = ledger.states(path).filter(({ seed }) => !acknowledged || seed >= acknowledged.seed);
        const state = possible.find(({ seed }) => seed === version);
        const mayBeGone = !acknowledged || possible.some(({ sizeBytes }) => sizeBytes < 0);
        if (state) expect((await readWhole(store, path))?.equals(content(state.seed, state.sizeBytes))).toBe(true);
        else expect({ path, version, mayBeGone }).toEqual({ path, version: NaN, mayBeGone: true });
      }
      await store.close();
    }
    expect(ledger.acknowledgements).toBeGreaterThan(8);
  }, 120_000);

  async function runAndKill(directory: string, ledger: Ledger, afterMs: number, capacityBytes = CAPACITY_BYTES) {
    const args = [WRITER, BUILT, directory, String(capacityBytes), String(ledger.lastSeed)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const ended = once(lines, 'close');
    lines.on('line', (line) => {
      // The delay starts when the store is open; some rounds are killed sooner, while it is opening.
      if (line === 'open') setTimeout(() => child.kill('SIGKILL'), afterMs);
      ledger.note(line);
    });
    if (afterMs < 20) setTimeout(() => child.kill('SIGKILL'), 60 + afterMs * 4);
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    await ended;
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  }
});
