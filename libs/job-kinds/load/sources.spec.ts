import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SourcePage, SourcePorts } from '#contexts/jobs/kinds';
import { namespace, resolveUfsPath } from '#contexts/namespace';
import { openUfs, RetriesExhausted, UfsError, type UfsConnector } from '#ufs';
import { loadKind } from './load.kind.js';
import type { LoadSpec } from './spec.js';

let root: string;
let ufs: string;
let connector: UfsConnector;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'larder-sources-'));
  ufs = `file://${root}/`;
  const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 5000, maxConnections: 8 };
  connector = openUfs({ ufs, options: {} }, tuning);
});

afterEach(async () => {
  await connector.close();
  await rm(root, { recursive: true });
});

async function put(name: string, content: string | Buffer = 'x'): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), content);
}

function ports(): SourcePorts {
  const state = namespace.evolve(namespace.initial, { type: 'Mounted', data: { path: '/data/', ufs, options: {} } });
  return {
    connectorFor: () => connector,
    resolve: (path) => resolveUfsPath(state, path, 'the line'),
    retry: { attempts: 2, baseDelayMs: 1, maxDelayMs: 1 },
    signal: new AbortController().signal,
  };
}

function spec(changes: Partial<LoadSpec>, fileFilterRegex = ''): LoadSpec {
  const options = {
    batchSize: 200,
    fileFilterRegex,
    replicas: 1,
    skipIfExists: false,
    loadMetadataOnly: false,
    verify: false,
    bandwidth: 0,
  };
  return { paths: [], index: '', roots: [], covered: [], indexPath: '', options, ...changes };
}

async function pagesOf(given: LoadSpec, cursor = '', pass: 'main' | 'verify' = 'main'): Promise<SourcePage[]> {
  const pages: SourcePage[] = [];
  for await (const page of loadKind.source({ ...given }, pass, cursor, ports())) pages.push(page);
  return pages;
}

const names = (pages: SourcePage[]): string[] =>
  pages.flatMap((page) => page.files.map(({ path }) => path.slice(ufs.length)));

describe('walking', () => {
  it('gives every file below every root, in order, and resumes at any page', async () => {
    for (let i = 0; i < 2500; i++) await put(`a/${String(i).padStart(4, '0')}`);
    await put('b/x');
    const given = spec({ roots: [`${ufs}a`, `${ufs}b`] });
    const pages = await pagesOf(given);
    expect(names(pages)).toHaveLength(2501);
    expect(pages.map((page) => page.done)).toEqual([false, false, false, true]);
    for (let i = 0; i < pages.length - 1; i++) {
      expect(names(await pagesOf(given, pages[i].cursor))).toEqual(names(pages.slice(i + 1)));
    }
  });

  it.each([
    ['matches the name', '.*\\.csv', ['d/a.csv']],
    ['must match the whole name', 'a', []],
    ['with a slash may match the path', '.*/d/[^/]*\\.csv', ['d/a.csv']],
    ['with a slash still matches the name', '[^/]+\\.txt', ['b.txt']],
  ])('the filter %s', async (_case, pattern, expected) => {
    await put('d/a.csv');
    await put('b.txt');
    const pages = await pagesOf(spec({ roots: [ufs] }, pattern));
    expect(names(pages)).toEqual(expected);
    expect(pages.reduce((sum, page) => sum + page.filteredFiles, 0)).toBe(2 - expected.length);
  });

  it('fault 18: a pattern that would stall a backtracking engine does not', async () => {
    await put(`${'a'.repeat(40)}!`);
    expect(names(await pagesOf(spec({ roots: [ufs] }, '(a+)+$')))).toEqual([]);
  });

  const missing = (name: string) => ({
    path: `${ufs}${name}`,
    reason: `nothing exists at ${ufs}${name}`,
    attempts: 0,
  });
  const rejected = (pages: SourcePage[]) => pages.flatMap((page) => page.rejected);

  it('reports a root that does not exist, goes on with the others, and accepts an empty directory', async () => {
    await mkdir(join(root, 'empty'));
    await put('there/x');
    const pages = await pagesOf(spec({ roots: [`${ufs}empty/`, `${ufs}missing`, `${ufs}none/`, `${ufs}there`] }));
    expect(rejected(pages)).toEqual([missing('missing'), missing('none/')]);
    expect(names(pages)).toEqual(['there/x']);
    expect(pages.map(({ done, error }) => [done, error])).toEqual([
      [false, undefined],
      [false, missing('missing').reason],
      [false, missing('none/').reason],
      [true, undefined],
    ]);
  });

  it('reports every missing path that a root covers, and resumes at any page', async () => {
    await put('d/file');
    await put('d/sub/file');
    await symlink('/nowhere-at-all', join(root, 'd/dangling'));
    const there = ['d/file', 'd/sub', 'd/sub/', 'd/sub/file', 'd/dangling'];
    const absent = ['d/file/', 'd/missing.csv', 'd/none/', 'd/none/deeper/file', ...many(100)];
    const covered = [...there, ...absent].map((name) => `${ufs}${name}`);
    const given = spec({ roots: [`${ufs}d`], covered });
    const pages = await pagesOf(given);
    // The walk reports a name that cannot be loaded, once.
    const told = rejected(pages).map(({ path }) => path.slice(ufs.length));
    expect(told).toEqual(['d/dangling', ...absent]);
    expect(rejected(pages)).toContainEqual(missing('d/missing.csv'));
    expect(names(pages)).toEqual(['d/file', 'd/sub/file']);
    expect(pages.map(({ done }) => done)).toEqual([...pages.slice(1).map(() => false), true]);
    expect(pages.map(({ error }) => error !== undefined)).toEqual([false, ...pages.slice(1).map(() => true)]);
    for (let i = 0; i < pages.length - 1; i++) {
      const rest = await pagesOf(given, pages[i].cursor);
      expect(rejected(rest)).toEqual(rejected(pages.slice(i + 1)));
    }
  });

  it('reports a missing bucket or directory of a mount with the store’s own error', async () => {
    await rm(root, { recursive: true });
    const pages = await pagesOf(spec({ roots: [ufs] }));
    expect(rejected(pages)).toEqual([{ path: ufs, reason: expect.stringMatching(/ENOENT/) as string, attempts: 0 }]);
    await mkdir(root);
  });

  it('counts a file that is missing in a later pass as an error of that pass, not as one of its files', async () => {
    const given = spec({ roots: [`${ufs}missing`], covered: [`${ufs}missing/too`] });
    const pages = await pagesOf(given, '', 'verify');
    expect(pages).toEqual([expect.objectContaining({ rejected: [], error: missing('missing').reason, done: true })]);
  });
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `d/gone-${String(i).padStart(3, '0')}`);
}

describe('an entry that a walk passes over', () => {
  it('is counted and named by kind, page by page', async () => {
    await put('d/file');
    await symlink('d', join(root, 'link'));
    await symlink('d', join(root, 'other'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const pages = await pagesOf(spec({ roots: [ufs] }));
    expect(pages).toEqual([
      expect.objectContaining({
        rejected: [],
        seenEntries: 4,
        specialFiles: {
          directoryLinks: { count: 2, examples: [`${ufs}link`, `${ufs}other`] },
          fifos: { count: 1, examples: [`${ufs}pipe`] },
        },
      }),
    ]);
    expect(names(pages)).toEqual(['d/file']);
    expect((await pagesOf(spec({ roots: [`${ufs}d`] })))[0].specialFiles).toBeUndefined();
  });

  it('leaves the rest of the walk whole: an unreadable directory is one refused name', async () => {
    for (const name of ['a/f', 'locked/f', 'z/f']) await put(name);
    await chmod(root, 0o755);
    await chmod(join(root, 'locked'), 0);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      const pages = await pagesOf(spec({ roots: [ufs] }));
      expect(names(pages)).toEqual(['a/f', 'z/f']);
      const reason = 'Permission denied (EACCES).';
      expect(pages.flatMap(({ rejected }) => rejected)).toEqual([{ path: `${ufs}locked/`, reason, attempts: 0 }]);
    } finally {
      if (isRoot) process.seteuid?.(0);
      await chmod(join(root, 'locked'), 0o755);
    }
  });
});

describe('index files', () => {
  const indexed = (): LoadSpec => spec({ indexPath: `${ufs}index` });

  it('fault 16: CRLF, byte-order mark, blank lines, duplicates and no final newline', async () => {
    await put('index', `\ufeff${ufs}a\r\n\r\n/data/b\n   \n${ufs}a\n${ufs}c d`);
    const pages = await pagesOf(indexed());
    expect(names(pages)).toEqual(['a', 'b', 'c d']);
    expect(pages.at(-1)!.done).toBe(true);
  });

  it('fault 17: lines that name no mounted file are refused one by one', async () => {
    const lines = ['s3://other/x', `${ufs}../etc/passwd`, '/elsewhere', 'relative', `${ufs}nul\u0000`, `${ufs}good`];
    await put('index', Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from([10, 0xff, 0xfe, 10])]));
    const pages = await pagesOf(indexed());
    expect(names(pages)).toEqual(['good']);
    const rejected = pages.flatMap((page) => page.rejected);
    expect(rejected).toHaveLength(6);
    expect(rejected.every(({ reason }) => reason.length > 10)).toBe(true);
  });

  it('resumes at any page and still knows the lines before it', async () => {
    const lines = Array.from({ length: 2500 }, (_, i) => `${ufs}f${i}`);
    await put('index', [...lines, ...lines.slice(0, 500)].join('\n'));
    const pages = await pagesOf(indexed());
    expect(names(pages)).toHaveLength(2500);
    for (let i = 0; i < pages.length - 1; i++) {
      expect(names(await pagesOf(indexed(), pages[i].cursor))).toEqual(names(pages.slice(i + 1)));
    }
  });

  it('lines across the borders of chunks are read whole; a line that is too long is refused', async () => {
    const long = `${ufs}${'y'.repeat(1800)}`;
    const lines = Array.from({ length: 1500 }, (_, i) => `${long}${i}`);
    await put('index', [...lines, 'z'.repeat(3 * 1024 * 1024), `${ufs}last`].join('\n'));
    const pages = await pagesOf(indexed());
    expect(names(pages)).toHaveLength(1501);
    expect(names(pages).at(-1)).toBe('last');
    expect(pages.flatMap((page) => page.rejected)).toEqual([expect.objectContaining({ attempts: 0 })]);
  });

  it('an index that changes during the read is not mixed', async () => {
    await put('index', Array.from({ length: 1500 }, (_, i) => `${ufs}f${i}`).join('\n'));
    const [first] = await pagesOf(indexed());
    await put('index', `${ufs}other`);
    await expect(pagesOf(indexed(), first.cursor)).rejects.toThrow(UfsError);
  });

  it('a missing index is reported', async () => {
    await expect(pagesOf(indexed())).rejects.toThrow(RetriesExhausted);
  });
});
