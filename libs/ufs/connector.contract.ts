import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { compareUtf8, hasControlCharacter } from './names.js';
import { UfsError, type UfsConnector, type UfsErrorCode, type UfsObject } from './types.js';

/** A UFS that the contract runs against: each test has a place of its own, which starts empty. */
export interface UfsFixture {
  name: string;
  /** Time for `start`, for a slow server. */
  startTimeoutMs?: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A new, empty directory. @returns its UFS path with `/` at the end */
  makeRoot(): Promise<string>;
  put(path: string, bytes: Buffer): Promise<void>;
  remove(path: string): Promise<void>;
  /** A connector that shares nothing with the others, as in another process. */
  connect(): UfsConnector;
  /** Whether an object's name may end with `/` or have empty segments, and a name be an object and a directory. */
  freeNames: boolean;
  /** How many random trees to try. */
  propertyRuns: number;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Names that some layer may decode, trim, normalise, sort or escape wrongly. */
const oddNames = [
  '007', 'true', 'null', '__proto__', 'plain.txt', ' leading', 'trailing ', 'two  spaces', 'a+b', 'a b', 'a%20b',
  'a%2Fb', 'a%252Fb', '100%', '&amp;', '<a>', "it's", '"quoted"', 'a?b', 'a#b', 'a&b=c', 'a;b', 'a,b', 'a:b', 'a@b',
  'a\\b', 'a*b', 'a(b)', 'a!b', 'a$b', '~a', '-a', '.hidden', '...', 'a..b', 'e\u0301', '\u00e9', '日本語', '😀',
  '\uffee', '\u2028', 'x'.repeat(200),
]; // prettier-ignore

const isFileName = (text: string): boolean =>
  text.isWellFormed() && !hasControlCharacter(text) && !/^\.\.?$|\//.test(text) && Buffer.byteLength(text) <= 255;

export function describeConnectorContract(fixture: UfsFixture): void {
  describe(`connector contract: ${fixture.name}`, () => {
    let root: string;
    let connector: UfsConnector;

    beforeAll(() => fixture.start(), fixture.startTimeoutMs);
    afterAll(() => fixture.stop());
    beforeEach(async () => {
      root = await fixture.makeRoot();
      connector = fixture.connect();
    });
    afterEach(() => connector.close());

    const put = (name: string, content = `content of ${name}`) => fixture.put(root + name, Buffer.from(content));
    const names = (objects: readonly UfsObject[]): string[] => objects.map(({ path }) => path.slice(root.length));
    const listAll = async (path: string, limit?: number, fresh = false): Promise<UfsObject[]> => {
      const objects: UfsObject[] = [];
      let after: string | undefined;
      do {
        const reader = fresh ? fixture.connect() : connector;
        const page = await reader.list(path, { after, limit });
        if (fresh) await reader.close();
        if (limit !== undefined) expect(page.objects.length).toBeLessThanOrEqual(limit);
        expect(page.rejected).toEqual([]);
        objects.push(...page.objects);
        after = page.next;
      } while (after !== undefined);
      return objects;
    };
    const failsWith = async (code: UfsErrorCode, attempt: Promise<unknown>): Promise<UfsError> => {
      const error: unknown = await attempt.then(
        () => 'no error',
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(UfsError);
      expect((error as UfsError).message).toMatch(/^[A-Z].*\.$/);
      expect((error as UfsError).code).toBe(code);
      return error as UfsError;
    };

    describe('list', () => {
      test('gives everything below a directory with size and version, ascending by UTF-8 bytes', async () => {
        const tree = ['b', 'a/2', 'a/1/x', 'a.txt', 'a0', 'a/1.txt', '\uffee', '😀'];
        for (const name of tree) await put(name);
        const objects = await listAll(root);
        expect(names(objects)).toEqual(['a.txt', 'a/1.txt', 'a/1/x', 'a/2', 'a0', 'b', '\uffee', '😀']);
        for (const object of objects) {
          expect(object.sizeBytes).toBe(Buffer.byteLength(`content of ${object.path.slice(root.length)}`));
          expect(await connector.stat(object.path)).toEqual(object);
        }
      });

      test('takes a directory with and without `/` at the end, and never its namesakes', async () => {
        for (const name of ['dir/a', 'dir/sub/b', 'directory/c', 'dir.txt', 'dir0']) await put(name);
        expect(names(await listAll(`${root}dir`))).toEqual(['dir/a', 'dir/sub/b']);
        expect(names(await listAll(`${root}dir/`))).toEqual(['dir/a', 'dir/sub/b']);
      });

      test('of an object gives just that object, and nothing with `/` behind it', async () => {
        for (const name of ['file', 'file.txt', 'file0']) await put(name);
        expect(names(await listAll(`${root}file`))).toEqual(['file']);
        expect(names(await listAll(`${root}file/`))).toEqual([]);
      });

      test('of nothing is one empty last page', async () => {
        await put('other');
        const nothing = { objects: [], rejected: [], special: [] };
        expect(await connector.list(`${root}missing`)).toEqual(nothing);
        expect(await connector.list(`${root}missing/deep/`)).toEqual(nothing);
        expect(await connector.list(`${root}other/deep`)).toEqual(nothing);
      });

      test('a cursor outlives what it points at', async () => {
        for (const name of ['a/1', 'a/2', 'b/1', 'c']) await put(name);
        const first = await connector.list(root, { limit: 2 });
        expect(names(first.objects)).toEqual(['a/1', 'a/2']);
        await fixture.remove(`${root}a/1`);
        await fixture.remove(`${root}a/2`);
        const reader = fixture.connect();
        const rest = await reader.list(root, { after: first.next });
        expect(names(rest.objects)).toEqual(['b/1', 'c']);
        await reader.close();
      });

      test('a directory that goes away between two pages ends the listing', async () => {
        for (const name of ['d/1', 'd/2', 'd/3']) await put(name);
        const { next } = await connector.list(`${root}d`, { limit: 1 });
        for (const name of ['d/1', 'd/2', 'd/3']) await fixture.remove(root + name);
        const reader = fixture.connect();
        expect((await reader.list(`${root}d`, { after: next })).objects).toEqual([]);
        await reader.close();
      });

      test('refuses a cursor that it did not make', async () => {
        await failsWith('Invalid', connector.list(root, { after: '{"not": "a cursor"}' }));
      });

      test('fault 20: any tree lists completely, once and in order, resumed by a fresh connector after every page', async () => {
        const segment = fc.oneof(
          fc.constantFrom(...oddNames),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
        );
        const name = fc
          .array(segment.filter(isFileName), { minLength: 1, maxLength: 4 })
          .map((segments) => segments.join('/'));
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(name, { maxLength: 12 }),
            fc.integer({ min: 1, max: 5 }),
            async (picked, limit) => {
              const tree = picked.filter((one) => !picked.some((other) => other.startsWith(`${one}/`)));
              root = await fixture.makeRoot();
              for (const one of tree) await put(one);
              const objects = await listAll(root, limit, true);
              expect(names(objects)).toEqual([...tree].sort(compareUtf8));
              expect(await listAll(root, limit)).toEqual(objects);
            },
          ),
          { numRuns: fixture.propertyRuns },
        );
      }, 120_000);

      if (fixture.freeNames) {
        test('fault 20: an object comes before the directory of its name, and names may end with `/` or have empty segments', async () => {
          const tree = ['dir', 'dir/', 'dir//', 'dir//x', 'dir/a', 'dir0', 'x/'];
          for (const name of tree) await put(name);
          for (const limit of [1, 2, 3, 100]) {
            expect(names(await listAll(root, limit, true))).toEqual(tree);
            expect(names(await listAll(`${root}dir`, limit, true))).toEqual(tree.slice(0, 5));
            expect(names(await listAll(`${root}dir/`, limit, true))).toEqual(tree.slice(1, 5));
          }
          for (const name of tree) {
            const { bytes } = await connector.read(root + name, { maxBytes: 100 });
            expect(bytes.toString()).toBe(`content of ${name}`);
          }
        });
      }
    });

    describe('names and existence', () => {
      test.each(oddNames)('fault 20: %j round-trips byte for byte', async (name) => {
        await put(`${name}/${name}`);
        const [object, ...others] = await listAll(`${root}${name}`);
        expect(others).toEqual([]);
        expect(object?.path).toBe(`${root}${name}/${name}`);
        const { bytes } = await connector.read(`${root}${name}/${name}`, { maxBytes: 1000 });
        expect(bytes.toString()).toBe(`content of ${name}/${name}`);
      });

      test('fault 20: names that look or decode alike are distinct objects', async () => {
        const alike = ['e\u0301', '\u00e9', 'a b', 'a+b', 'a%20b', 'a%2Fb', 'a%252Fb', 'A', 'a'];
        for (const name of alike) await put(name);
        for (const name of alike) {
          const { body } = await connector.open(root + name);
          expect((await collect(body)).toString()).toBe(`content of ${name}`);
        }
        expect(await listAll(root)).toHaveLength(alike.length);
      });

      test('exists: objects and directories, not the beginnings of names', async () => {
        await put('dir/file');
        for (const there of ['dir/file', 'dir', 'dir/', ''])
          expect([there, await connector.exists(root + there)]).toEqual([there, true]);
        for (const not of ['di', 'dir/fil', 'dir/file/', 'dir/file/x', 'no/way']) {
          expect([not, await connector.exists(root + not)]).toEqual([not, false]);
        }
      });

      test('stat, open and read tell nothing from a directory', async () => {
        await put('dir/file');
        for (const path of [`${root}missing`, `${root}missing/file`, `${root}di`, `${root}dir/file/x`]) {
          await failsWith('NotFound', connector.stat(path));
          await failsWith('NotFound', connector.open(path));
          await failsWith('NotFound', connector.read(path, { maxBytes: 10 }));
        }
        await failsWith('IsDirectory', connector.stat(`${root}dir`));
        await failsWith('IsDirectory', connector.open(`${root}dir`));
        await failsWith('IsDirectory', connector.read(`${root}dir`, { maxBytes: 10 }));
      });

      test('fault 17: a path with `..`, `.` or NUL, or outside the mount, is refused', async () => {
        await put('file');
        const scheme = root.slice(0, root.indexOf('://') + 3);
        const paths = [
          `${root}../x`,
          `${root}a/../file`,
          `${root}./file`,
          `${root}..`,
          `${root}a\0b`,
          `${scheme}/etc/passwd`,
        ];
        for (const path of [...paths, 'http://host/file', '/etc/passwd', 'file']) {
          await failsWith('Outside', connector.list(path));
          await failsWith('Outside', connector.stat(path));
          await failsWith('Outside', connector.exists(path));
          await failsWith('Outside', connector.open(path));
          await failsWith('Outside', connector.read(path, { maxBytes: 10 }));
        }
        await failsWith('Invalid', connector.read(`${root}a\nb`, { maxBytes: 10 }));
        await failsWith('Invalid', connector.read(`${root}\ud800`, { maxBytes: 10 }));
      });
    });

    describe('open and read', () => {
      const big = Buffer.alloc(3 * 1024 * 1024 + 17, 'some content, and more ');

      test.each([0, 1, 65_536, big.length])('%i bytes arrive as they are', async (sizeBytes) => {
        const content = big.subarray(0, sizeBytes);
        await fixture.put(`${root}file`, content);
        const listed = (await listAll(root))[0];
        const { object, body } = await connector.open(`${root}file`);
        expect(sha256(await collect(body))).toBe(sha256(content));
        expect(object).toEqual(listed);
        const read = await connector.read(`${root}file`, { maxBytes: sizeBytes, expectedVersion: listed?.version });
        expect(sha256(read.bytes)).toBe(sha256(content));
        expect(read.object).toEqual(listed);
      });

      test.each([
        [0, 0, '0'],
        [0, 9, '0123456789'],
        [3, 5, '345'],
        [9, 9, '9'],
        [7, undefined, '789'],
        [undefined, 2, '012'],
        [8, 1000, '89'],
        [10, undefined, ''],
        [10, 20, ''],
      ])('the range %s-%s', async (start, end, expected) => {
        await put('digits', '0123456789');
        const { object, body } = await connector.open(`${root}digits`, { start, end });
        expect((await collect(body)).toString()).toBe(expected);
        expect(object.sizeBytes).toBe(10);
        const read = await connector.read(`${root}digits`, { start, end, maxBytes: 10 });
        expect([read.bytes.toString(), read.object]).toEqual([expected, object]);
      });

      test.each([
        [11, undefined],
        [5, 4],
        [-1, undefined],
        [0.5, undefined],
      ])('the range %s-%s is none', async (start, end) => {
        await put('digits', '0123456789');
        await failsWith('Invalid', connector.open(`${root}digits`, { start, end }));
        await failsWith('Invalid', connector.read(`${root}digits`, { start, end, maxBytes: 10 }));
      });

      test('a range of an empty object is empty', async () => {
        await put('empty', '');
        const { object, bytes } = await connector.read(`${root}empty`, { start: 0, end: 99, maxBytes: 10 });
        expect([bytes.length, object.sizeBytes]).toEqual([0, 0]);
      });

      test('an object larger than the caller can take is TooLarge', async () => {
        await put('ten', '0123456789');
        await failsWith('TooLarge', connector.read(`${root}ten`, { maxBytes: 9 }));
        expect((await connector.read(`${root}ten`, { start: 1, maxBytes: 9 })).bytes).toHaveLength(9);
      });

      test('fault 11: another version than the expected one is Changed, also when only the content differs', async () => {
        await put('file', 'old content');
        const { version } = await connector.stat(`${root}file`);
        await put('file', 'new content');
        const error = await failsWith('Changed', connector.open(`${root}file`, { expectedVersion: version }));
        expect(error.retryable).toBe(true);
        await failsWith('Changed', connector.read(`${root}file`, { expectedVersion: version, maxBytes: 100 }));
        await failsWith(
          'Changed',
          connector.read(`${root}file`, { expectedVersion: version, start: 4, maxBytes: 100 }),
        );
        const fresh = await connector.stat(`${root}file`);
        expect(fresh.version).not.toBe(version);
        const { bytes } = await connector.read(`${root}file`, { expectedVersion: fresh.version, maxBytes: 100 });
        expect(bytes.toString()).toBe('new content');
      });

      test('an object that vanished is NotFound also when a version of it was expected', async () => {
        await put('file');
        const { version } = await connector.stat(`${root}file`);
        await fixture.remove(`${root}file`);
        await failsWith('NotFound', connector.open(`${root}file`, { expectedVersion: version }));
        await failsWith('NotFound', connector.read(`${root}file`, { expectedVersion: version, maxBytes: 100 }));
      });

      test('the content hash is that of the content', async () => {
        await put('file', 'hash me');
        const hash = await connector.contentHash(await connector.stat(`${root}file`));
        expect(hash).toEqual({ algorithm: 'md5', hex: createHash('md5').update('hash me').digest('hex') });
      });

      test('many reads at once', async () => {
        for (let index = 0; index < 40; index++) await put(`many/${index}`);
        const read = await Promise.all(
          Array.from({ length: 40 }, (_, index) => connector.read(`${root}many/${index}`, { maxBytes: 100 })),
        );
        expect(read.map(({ bytes }) => bytes.toString())).toEqual(read.map((_, index) => `content of many/${index}`));
      });
    });

    describe('abort', () => {
      test('before the call: nothing is begun', async () => {
        await put('file');
        const signal = AbortSignal.abort();
        await failsWith('Aborted', connector.list(root, { signal }));
        await failsWith('Aborted', connector.stat(`${root}file`, signal));
        await failsWith('Aborted', connector.exists(`${root}file`, signal));
        await failsWith('Aborted', connector.open(`${root}file`, { signal }));
        await failsWith('Aborted', connector.read(`${root}file`, { signal, maxBytes: 100 }));
      });

      test('between two chunks: the body ends with Aborted', async () => {
        await fixture.put(`${root}large`, Buffer.alloc(8 * 1024 * 1024));
        const abort = new AbortController();
        const { body } = await connector.open(`${root}large`, { signal: abort.signal });
        const readSome = async (): Promise<void> => {
          for await (const chunk of body) if (chunk.length > 0) abort.abort();
        };
        expect((await failsWith('Aborted', readSome())).retryable).toBe(false);
      });

      test('before the body is read: it cannot be read any more', async () => {
        await put('file');
        const abort = new AbortController();
        const { body } = await connector.open(`${root}file`, { signal: abort.signal });
        abort.abort();
        await failsWith('Aborted', collect(body));
      });

      test('a body that is left early does not hinder what follows', async () => {
        await fixture.put(`${root}large`, Buffer.alloc(4 * 1024 * 1024));
        for (let round = 0; round < 20; round++) {
          for await (const chunk of (await connector.open(`${root}large`)).body) if (chunk.length > 0) break;
        }
        expect((await connector.stat(`${root}large`)).sizeBytes).toBe(4 * 1024 * 1024);
      });
    });
  });
}
