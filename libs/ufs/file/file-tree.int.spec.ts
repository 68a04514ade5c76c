import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { UfsError, type UfsListPage, type UfsObject } from '../types.js';
import { FileConnector } from './file-connector.js';

const nobody = 65_534;

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return await attempt.then(
    () => 'no error',
    (error: unknown) => (error instanceof UfsError ? error.code : `no UfsError: ${String(error)}`),
  );
}

describe.each([false, true])('FileConnector and special entries of a tree (blockingReads: %s)', (blockingReads) => {
  const tuning = { idleTimeoutMs: 10_000, connectTimeoutMs: 1000, maxConnections: 8, blockingReads };
  let base: string;
  let root: string;
  let connector: FileConnector;
  const at = (name: string): string => path.join(root, name);
  const uri = (name = ''): string => `file://${root}/${name}`;
  const put = async (name: string, content = name): Promise<void> => {
    await fs.mkdir(path.dirname(at(name)), { recursive: true });
    await fs.writeFile(at(name), content);
  };
  const names = (page: { objects: UfsObject[] }): string[] =>
    page.objects.map((object) => object.path.slice(uri().length));
  const listAll = async (limit?: number, start = uri()): Promise<UfsListPage> => {
    const all: UfsListPage = { objects: [], rejected: [], special: [] };
    let after: string | undefined;
    do {
      const fresh = new FileConnector(uri(), tuning);
      const page = await fresh.list(start, { after, limit });
      await fresh.close();
      all.objects.push(...page.objects);
      all.rejected.push(...page.rejected);
      all.special.push(...page.special);
      after = page.next;
    } while (after !== undefined);
    return all;
  };

  beforeEach(async () => {
    base = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'larder-tree-')));
    root = path.join(base, 'root');
    await fs.mkdir(root);
    connector = new FileConnector(uri(), tuning);
  });
  afterEach(async () => {
    await connector.close();
    await fs.rm(base, { recursive: true, force: true });
  });

  test('fault 17: links to files inside are objects, links that leave or dangle are rejected', async () => {
    await put('dir/file', 'inside');
    await fs.writeFile(path.join(base, 'secret'), 'outside');
    await fs.mkdir(path.join(base, 'root-sibling'));
    await fs.writeFile(path.join(base, 'root-sibling/file'), 'outside');
    await fs.symlink('dir/file', at('in'));
    await fs.symlink('../secret', at('out'));
    await fs.symlink('/etc/passwd', at('passwd'));
    await fs.symlink('../root-sibling/file', at('sibling'));
    await fs.symlink('missing', at('dangling'));
    await fs.symlink('circle', at('circle'));
    const page = await listAll();
    expect(names(page)).toEqual(['dir/file', 'in']);
    expect(page.rejected.map(({ path }) => path.slice(uri().length))).toEqual([
      'circle',
      'dangling',
      'out',
      'passwd',
      'sibling',
    ]);
    for (const { reason } of page.rejected) expect(reason).toMatch(/^The symbolic link leads .*\.$/);
    expect((await connector.read(uri('in'), { maxBytes: 99 })).bytes.toString()).toBe('inside');
    expect(await connector.stat(uri('in'))).toEqual(page.objects[1]);
    for (const name of ['out', 'passwd', 'sibling']) {
      expect(await codeOf(connector.read(uri(name), { maxBytes: 99 }))).toBe('Outside');
      expect(await codeOf(connector.open(uri(name)))).toBe('Outside');
      expect(await codeOf(connector.stat(uri(name)))).toBe('Outside');
      expect(await connector.exists(uri(name))).toBe(false);
      expect((await connector.list(uri(name))).rejected).toHaveLength(1);
    }
    expect(await codeOf(connector.read(uri('dangling'), { maxBytes: 99 }))).toBe('NotFound');
    expect(await codeOf(connector.read(uri('circle'), { maxBytes: 99 }))).toBe('NotFound');
  });

  test('fault 17: no path leads through a directory link out of the mount', async () => {
    await fs.mkdir(path.join(base, 'private'));
    await fs.writeFile(path.join(base, 'private/file'), 'outside');
    await fs.symlink('../private', at('link'));
    const attempts = [
      connector.read(uri('link/file'), { maxBytes: 99 }),
      connector.open(uri('link/file')),
      connector.stat(uri('link/file')),
      connector.exists(uri('link/file')),
      connector.list(uri('link/file')),
    ];
    expect(new Set(await Promise.all(attempts.map(codeOf)))).toEqual(new Set(['Outside']));
    expect(await listAll()).toEqual({
      objects: [],
      rejected: [],
      special: [{ path: uri('link'), kind: 'directoryLink' }],
    });
  });

  test('fault 17: a directory that becomes a link during the walk is not followed', async () => {
    await fs.mkdir(path.join(base, 'private'));
    await fs.writeFile(path.join(base, 'private/file'), 'outside');
    await put('a');
    await put('dir/file');
    const first = await connector.list(uri(), { limit: 1 });
    await fs.rm(at('dir'), { recursive: true });
    await fs.symlink('../private', at('dir'));
    const second = await connector.list(uri(), { after: first.next });
    const reason = 'The directory was replaced by a link during the walk.';
    expect(second).toEqual({ objects: [], rejected: [{ path: uri('dir/'), reason }], special: [] });
  });

  test('sockets, FIFOs and links to directories are counted and never opened', async () => {
    await put('dir/file');
    await fs.symlink('dir', at('link'));
    execFileSync('mkfifo', [at('fifo')]);
    await fs.symlink('fifo', at('linked'));
    const socket = net.createServer().listen(at('socket'));
    await new Promise((resolve) => socket.once('listening', resolve));
    const page = await listAll(1);
    const kinds = Object.fromEntries(page.special.map(({ path, kind }) => [path.slice(uri().length), kind]));
    expect([names(page), kinds, page.rejected]).toEqual([
      ['dir/file'],
      { fifo: 'fifo', link: 'directoryLink', linked: 'fifo', socket: 'socket' },
      [],
    ]);
    for (const name of ['fifo', 'socket']) {
      expect(await codeOf(connector.read(uri(name), { maxBytes: 9 }))).toBe('Invalid');
      expect(await codeOf(connector.stat(uri(name)))).toBe('Invalid');
      expect((await connector.list(uri(name))).special).toEqual([{ path: uri(name), kind: name }]);
    }
    await new Promise((resolve) => socket.close(resolve));
  });

  test('fault 17: names that are no UTF-8 or hold control characters are rejected, each once, at every page size', async () => {
    const raw = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]);
    await put('ok');
    await put('zz/ok');
    await fs.writeFile(raw(0x62, 0xff), 'x');
    await fs.writeFile(raw(0xed, 0xa0, 0x80), 'a surrogate');
    await fs.writeFile(at('line\nbreak'), 'x');
    await fs.mkdir(raw(0x64, 0xfe));
    await fs.writeFile(raw(0x64, 0xfe, 0x2f, 0x78), 'x');
    await fs.mkdir(at('tab\tdir'));
    await fs.writeFile(at('tab\tdir/x'), 'x');
    for (const limit of [1, 2, 3, 100]) {
      const page = await listAll(limit);
      expect(names(page)).toEqual(['ok', 'zz/ok']);
      expect(page.rejected.map(({ path }) => path.slice(uri().length))).toEqual([
        'b\\xff',
        'd\\xfe/',
        'line\\x0abreak',
        'tab\\x09dir/',
        '\\xed\\xa0\\x80',
      ]);
      for (const { reason } of page.rejected) expect(reason).toMatch(/^The name .*\.$/);
    }
  });

  test('fault 17: a name or path longer than the system allows is no file', async () => {
    await put('x'.repeat(255));
    expect(names(await listAll())).toEqual(['x'.repeat(255)]);
    expect(await codeOf(connector.read(uri('x'.repeat(300)), { maxBytes: 9 }))).toBe('NotFound');
    expect(await codeOf(connector.stat(uri('x'.repeat(300))))).toBe('NotFound');
    expect(await connector.exists(uri('x'.repeat(300)))).toBe(false);
    expect(await connector.list(uri('x'.repeat(300)))).toEqual({ objects: [], rejected: [], special: [] });
    expect(await codeOf(connector.read(uri('d/'.repeat(3000) + 'x'), { maxBytes: 9 }))).toBe('NotFound');
  });

  test('fault 17: entries deeper than the longest path are rejected, and the rest is listed', async () => {
    await put('z');
    // The shell goes down step by step, as no single path reaches the bottom.
    const script =
      'n=$(printf "%0200d" 0); for i in $(seq 25); do mkdir "$n" && cd -P "$n" || exit 1; done; echo deep > file';
    execFileSync('bash', ['-c', script], { cwd: root });
    for (const limit of [1, 100]) {
      const page = await listAll(limit);
      expect(names(page)).toEqual(['z']);
      expect(page.rejected).toEqual([
        { path: expect.any(String) as string, reason: 'The path is longer than the system allows.' },
      ]);
    }
    execFileSync('rm', ['-rf', '--', '0'.repeat(200)], { cwd: root });
  });

  /** As a user whom permissions hold back. */
  const asNobody = async (work: () => Promise<void>): Promise<void> => {
    await fs.chmod(base, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(nobody);
    try {
      await work();
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  };

  test('an unreadable directory is Forbidden', async () => {
    await put('open/file');
    await put('shut/file');
    await fs.chmod(at('shut'), 0);
    await asNobody(async () => {
      expect(await codeOf(connector.list(uri('shut')))).toBe('Forbidden');
      expect(await codeOf(connector.read(uri('shut/file'), { maxBytes: 9 }))).toBe('Forbidden');
      expect(names(await connector.list(uri('open')))).toEqual(['open/file']);
    });
    await fs.chmod(at('shut'), 0o755);
  });

  test('directories below it that cannot be read are rejected, each once, at every page size', async () => {
    for (const name of ['a/f', 'shut/f', 'shut/deeper/f', 'sub/shut/f', 'sub/z', 'unsearchable/f', 'z'])
      await put(name);
    for (const name of ['shut', 'sub/shut']) await fs.chmod(at(name), 0);
    await fs.chmod(at('unsearchable'), 0o644);
    await asNobody(async () => {
      for (const limit of [1, 2, 3, 100]) {
        const page = await listAll(limit);
        expect(names(page)).toEqual(['a/f', 'sub/z', 'z']);
        const reason = 'Permission denied (EACCES).';
        expect(page.rejected).toEqual([
          { path: uri('shut/'), reason },
          { path: uri('sub/shut/'), reason },
          // Names can be read there, and nothing about them.
          { path: uri('unsearchable/f'), reason },
        ]);
      }
    });
    for (const name of ['shut', 'sub/shut', 'unsearchable']) await fs.chmod(at(name), 0o755);
  });

  test('a directory that loses its permissions during the walk is reported', async () => {
    for (const name of ['d/1', 'd/2', 'd/3', 'e']) await put(name);
    const { next } = await connector.list(uri(), { limit: 1 });
    await fs.chmod(at('d'), 0);
    await asNobody(async () => {
      const fresh = new FileConnector(uri(), tuning);
      const page = await fresh.list(uri(), { after: next });
      expect([names(page), page.rejected.map(({ path }) => path)]).toEqual([['e'], [uri('d/')]]);
      await fresh.close();
    });
    await fs.chmod(at('d'), 0o755);
  });

  test('a missing mount root is an error, not an empty listing', async () => {
    await fs.rm(root, { recursive: true });
    expect(await codeOf(connector.list(uri()))).toBe('NotFound');
    expect(await codeOf(connector.list(uri('dir')))).toBe('NotFound');
    expect(await connector.exists(uri())).toBe(false);
  });

  test('a mount root that is a link works, and may get another target', async () => {
    await put('file', 'first');
    await fs.mkdir(path.join(base, 'other'));
    await fs.writeFile(path.join(base, 'other/file'), 'second');
    await fs.symlink('root', path.join(base, 'link'));
    const linked = new FileConnector(`file://${base}/link/`, tuning);
    const file = `file://${base}/link/file`;
    const read = async (): Promise<string> => (await linked.read(file, { maxBytes: 9 })).bytes.toString();
    expect((await linked.list(`file://${base}/link`)).objects.map((object) => object.path)).toEqual([file]);
    expect(await read()).toBe('first');
    await fs.unlink(path.join(base, 'link'));
    await fs.symlink('other', path.join(base, 'link'));
    expect(await read()).toBe('second');
    expect((await linked.list(`file://${base}/link/`)).objects).toHaveLength(1);
    await linked.close();
  });

  test('the whole file system can be mounted', async () => {
    await put('file', 'x');
    const all = new FileConnector('file:///', tuning);
    expect(names(await all.list(uri()))).toEqual(['file']);
    expect((await all.read(uri('file'), { maxBytes: 9 })).bytes.toString()).toBe('x');
    expect(await all.exists('file:///')).toBe(true);
    await all.close();
  });

  test('fault 10: a file that shrinks while it is read is not handed out as whole', async () => {
    await put('file', 'x'.repeat(3 * 1024 * 1024));
    const chunks = async (): Promise<void> => {
      for await (const chunk of (await connector.open(uri('file'))).body) {
        if (chunk.length > 0) await fs.truncate(at('file'), 1024 * 1024 + 5);
      }
    };
    expect(await codeOf(chunks())).toBe('Changed');
  });

  test('fault 10: a file with fewer bytes than its size is Truncated', async () => {
    // What /proc shows: a size of 4096, and a line of content.
    const proc = new FileConnector('file:///sys/kernel/', tuning);
    expect(await codeOf(proc.read('file:///sys/kernel/uevent_seqnum', { maxBytes: 8192 }))).toBe('Truncated');
    await proc.close();
  });

  test.each([
    ['rewritten in place', (file: string) => fs.writeFile(file, 'y'.repeat(3 * 1024 * 1024))],
    ['appended to', (file: string) => fs.appendFile(file, 'more')],
    [
      'rewritten with its old modification time',
      async (file: string) => {
        const { atime, mtime } = await fs.stat(file);
        await fs.writeFile(file, 'y'.repeat(3 * 1024 * 1024));
        await fs.utimes(file, atime, mtime);
      },
    ],
  ])('fault 11: a file that is %s while it is read is Changed', async (_, change) => {
    await put('file', 'x'.repeat(3 * 1024 * 1024));
    let received = 0;
    const chunks = async (): Promise<void> => {
      for await (const chunk of (await connector.open(uri('file'))).body) {
        if (received === 0) await change(at('file'));
        received += chunk.length;
      }
    };
    expect(await codeOf(chunks())).toBe('Changed');
    expect(received).toBeLessThan(3 * 1024 * 1024);
  });

  test('fault 11: a file replaced while it is read arrives as the old one, whole', async () => {
    await put('file', 'x'.repeat(3 * 1024 * 1024));
    await put('new', 'y'.repeat(3 * 1024 * 1024));
    const { version } = await connector.stat(uri('file'));
    // The rename takes the old file's last link, which is a change of its inode that a reader cannot tell from a write.
    await fs.link(at('file'), at('kept'));
    const linked = await connector.open(uri('file'), { expectedVersion: version });
    await fs.rename(at('new'), at('file'));
    const outcome = await (async () => {
      const kinds = new Set<string>();
      for await (const chunk of linked.body) for (const byte of new Set(chunk)) kinds.add(String.fromCharCode(byte));
      return [...kinds].join('');
    })().catch((error: unknown) => (error as UfsError).code);
    expect(['x', 'Changed']).toContain(outcome);
    expect(await codeOf(connector.read(uri('file'), { expectedVersion: version, maxBytes: 4e6 }))).toBe('Changed');
  });

  test('files that vanish between two pages are passed over, directories are reported', async () => {
    for (const name of ['a', 'b', 'c', 'd/1', 'e']) await put(name);
    const first = await connector.list(uri(), { limit: 1 });
    await fs.rm(at('c'));
    await fs.rm(at('d'), { recursive: true });
    const rest = await connector.list(uri(), { after: first.next });
    expect(names(rest)).toEqual(['b', 'e']);
    // What the directory held is now unknown.
    const reason = 'The directory vanished during the walk (ENOENT).';
    expect(rest.rejected).toEqual([{ path: uri('d/'), reason }]);
  });

  test('a tree of empty directories comes in pages, all without objects, and ends', async () => {
    await Promise.all(Array.from({ length: 2500 }, (_, index) => fs.mkdir(at(`empty${index}`))));
    await put('zz');
    let pages = 0;
    let after: string | undefined;
    const found: string[] = [];
    do {
      const page = await connector.list(uri(), { after });
      found.push(...names(page));
      pages++;
      after = page.next;
    } while (after !== undefined);
    expect([found, pages]).toEqual([['zz'], 3]);
    expect(names(await listAll())).toEqual(['zz']);
  });

  test('two readers of one cursor get the same page', async () => {
    for (const name of ['a', 'b', 'c']) await put(name);
    const { next } = await connector.list(uri(), { limit: 1 });
    const pages = await Promise.all([connector.list(uri(), { after: next }), connector.list(uri(), { after: next })]);
    for (const page of pages) expect(names(page)).toEqual(['b', 'c']);
  });

  test('no descriptor stays open', async () => {
    await put('file', 'x'.repeat(100));
    const open = async (): Promise<number> => (await fs.readdir('/proc/self/fd')).length;
    const before = await open();
    for (let round = 0; round < 20; round++) {
      await connector.read(uri('file'), { maxBytes: 100 });
      await codeOf(connector.read(uri('file'), { maxBytes: 1 }));
      await codeOf(connector.open(uri('file'), { expectedVersion: 'other' }));
      await codeOf(connector.open(root));
      const abort = new AbortController();
      await connector.open(uri('file'), { signal: abort.signal });
      abort.abort();
      await connector.list(uri());
    }
    const deadline = Date.now() + 5000;
    while ((await open()) > before && Date.now() < deadline) await new Promise(setImmediate);
    expect(await open()).toBeLessThanOrEqual(before);
  });
});
