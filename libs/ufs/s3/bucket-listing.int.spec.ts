import { S3TestServer, type ListingManners } from '#testing';
import { UfsError } from '../types.js';
import { KeyWalk } from './key-walk.js';
import type { ListCursor } from './list-cursor.js';
import { S3Client } from './s3-client.js';
import { S3Connector } from './s3-connector.js';
import { s3Settings } from './s3-settings.js';

const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 4 };

const without =
  (element: string) =>
  (xml: string): string =>
    xml.replace(new RegExp(`<${element}>.*?</${element}>`), '');

describe('listings as stores give them', () => {
  const server = new S3TestServer({ maxKeysPerPage: 2, allowAnonymous: true });
  let endpoint: string;
  let connector: S3Connector;
  let buckets = 0;
  let bucket: string;
  /** What each listing was asked with. */
  let asked: string[];
  const connect = (options: Record<string, string> = {}): S3Connector =>
    new S3Connector({ ufs: `s3://${bucket}/`, options: { endpoint, ...options } }, tuning);
  const listsLike = (manners: ListingManners): void => {
    server.listing = ({ query }) => {
      asked.push(
        [...query.keys()]
          .filter((name) => /token|start|marker|list-type/.test(name))
          .sort()
          .join(' '),
      );
      return manners;
    };
  };
  const put = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await server.put(bucket, key, `content of ${key}`);
  };

  beforeAll(async () => void ({ endpoint } = await server.start()));
  afterAll(() => server.stop());
  beforeEach(() => {
    asked = [];
    server.fault = undefined;
    listsLike({});
    server.createBucket((bucket = `b${++buckets}`));
    connector = connect();
  });
  afterEach(() => connector.close());

  /** All of it. @param fresh a connector of its own for each page, as after a takeover */
  async function walk({ at = '', fresh = false, options = {}, limit = 1000, from = '' } = {}) {
    const found = { keys: [] as string[], rejected: [] as { path: string; reason: string }[], cursors: [] as string[] };
    let reader = connect(options);
    try {
      for (let after: string | undefined = from || undefined, pages = 0; pages < 500; pages++) {
        if (fresh) {
          await reader.close();
          reader = connect(options);
        }
        const page = await reader.list(`s3://${bucket}/${at}`, { limit, ...(after === undefined ? {} : { after }) });
        found.keys.push(...page.objects.map(({ path }) => path.slice(`s3://${bucket}/`.length)));
        found.rejected.push(...page.rejected);
        if (page.next === undefined) return found;
        found.cursors.push((after = page.next));
      }
      throw new Error('the walk does not end');
    } finally {
      await reader.close();
    }
  }

  async function faultOf(attempt: Promise<unknown>): Promise<string> {
    const error: unknown = await attempt.then(
      () => 'no error',
      (reason: unknown) => reason,
    );
    if (!(error instanceof UfsError)) throw error as Error;
    expect(error.message).toMatch(/^[A-Z].*\.$/);
    return `${error.code}: ${error.message}`;
  }

  const six = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5'];
  const shuffled = ['k1', 'k5', 'k0', 'k3', 'k2', 'k4'];
  const byShuffle = (a: string, b: string): number => shuffled.indexOf(a) - shuffled.indexOf(b);

  describe('the position of the next page', () => {
    test('is the server’s token, unchanged', async () => {
      await put(...six);
      expect((await walk()).keys).toEqual(six);
      expect(asked).toEqual(['list-type', 'continuation-token list-type', 'continuation-token list-type']);
    });

    let pages = 0;
    const everyOtherEmpty = { pageLength: () => pages++ % 2, freshTokens: true };
    const stores: [string, ListingManners][] = [
      ['ignores start-after', { startAfter: 'ignored' }],
      ['answers as V1', { form: 'V1' }],
      ['answers as V1, with tokens for markers', { form: 'V1', startAfter: 'ignored' }],
      ['knows V1 alone', { form: 'V1 alone' }],
      [
        'answers as V1 without NextMarker',
        { form: 'V1', xml: (xml) => xml.replace(/<NextMarker>.*<\/NextMarker>/, '') },
      ],
      [
        'answers as V1 without Marker',
        { form: 'V1', xml: (xml) => xml.replace(/<Marker>.*<\/Marker>|<Marker\/>/, '') },
      ],
      ['has pages without a key', everyOtherEmpty],
      ['lists in an order of its own', { order: byShuffle, startAfter: 'ignored' }],
      ['lists in an order of its own, by start-after too', { order: byShuffle, startAfter: 'compared' }],
      ['lists in an order of its own, as V1', { order: byShuffle, form: 'V1' }],
    ];
    test.each(stores)('a store that %s', async (_, manners) => {
      await put(...six, 'dir/a', 'dir/b', 'dir/c', 'dir0');
      listsLike({ ...manners, ...(manners.order && { order: (a, b) => byShuffle(a, b) || (a < b ? 1 : -1) }) });
      const all = [...six, 'dir/a', 'dir/b', 'dir/c', 'dir0'].sort();
      for (const limit of [1, 2, 1000]) {
        for (const fresh of [false, true]) {
          expect([limit, fresh, (await walk({ limit, fresh })).keys.sort()]).toEqual([limit, fresh, all]);
          expect((await walk({ at: 'dir', limit, fresh })).keys.sort()).toEqual(['dir/a', 'dir/b', 'dir/c']);
        }
      }
      expect(await connector.exists(`s3://${bucket}/dir`)).toBe(true);
      expect(await connector.exists(`s3://${bucket}/di`)).toBe(false);
      if (manners.order === undefined) expect((await walk()).keys).toEqual(all);
    });

    test('may come from version 0.2, also with a server that only supports V1', async () => {
      await put(...six);
      for (const manners of [{}, { form: 'V1' }, { form: 'V1 alone' }] as ListingManners[]) {
        listsLike(manners);
        expect((await walk({ from: 'key:k2' })).keys).toEqual(['k3', 'k4', 'k5']);
      }
      listsLike({ startAfter: 'ignored' });
      expect((await walk({ from: `token:t${Buffer.from('2').toString('base64url')}` })).keys).toEqual(six.slice(2));
      expect(await faultOf(walk({ from: 'key:k2' }))).toMatch(/does not go on in order: "k0" comes after "k2"/);
    });

    test('is given by start-after when a token is refused later, in order', async () => {
      await put(...six);
      listsLike({ startAfter: 'compared', refusesTokens: () => true });
      for (const fresh of [false, true]) expect((await walk({ fresh })).keys).toEqual(six);
      expect(asked).toContain('list-type start-after');
    });

    test('is found by another walk when a token is refused without an order', async () => {
      await put(...six);
      let valid = 0;
      // Tokens hold for the process that was given them: here, until another walk begins.
      server.listing = ({ query }) => {
        const begins = !query.has('continuation-token');
        if (begins) valid = 3;
        return { order: byShuffle, startAfter: 'ignored', refusesTokens: () => valid-- <= 0 };
      };
      const { cursors } = await walk();
      valid = 0;
      expect((await walk({ from: cursors[1] })).keys).toEqual(shuffled.slice(4));
    });
  });

  describe('a walk with a false listing fails', () => {
    const lies: [string, ListingManners, RegExp][] = [
      ['a key twice in a page', { page: (all) => [...all, all[0]] }, /has the key "k\d" twice/],
      ['a page that comes again', { next: (end) => (end >= 6 ? undefined : 0), freshTokens: true }, /twice/],
      ['a page that comes again later', { next: (end) => (end >= 6 ? 0 : end), freshTokens: true }, /twice/],
      ['a token that comes again', { page: () => [], next: () => 0 }, /twice to go on from the same place/],
      ['tokens in a circle', { page: () => [], next: (end) => (end < 4 ? end : 0) }, /twice to go on from the same/],
      ['no token', { page: () => [], next: () => 2, xml: without('NextContinuationToken') }, /does not say where/],
      ['neither true nor false', { xml: (xml) => xml.replace('>true<', '>yes<') }, /IsTruncated/],
      ['a document type', { xml: (xml) => xml.replace('?>', '?><!DOCTYPE x SYSTEM "file:///x">') }, /document type/],
      ['prefixes for keys', { xml: (xml) => xml.replace('<Con', '<CommonPrefixes><Prefix>k</Prefix></CommonPrefixes><Con') }, /CommonPrefixes/],
    ]; // prettier-ignore
    test.each(lies)('%s', async (_, manners, sentence) => {
      await put(...six);
      for (const order of [undefined, byShuffle]) {
        for (const form of [undefined, 'V1'] as const) {
          listsLike({ ...manners, form, ...(order && { order }) });
          // What V1 lacks is the token: there, the last key does.
          if (form === undefined || !/no token/.test(_)) expect(await faultOf(walk())).toMatch(sentence);
        }
      }
    });

    test('keys that were not requested', async () => {
      await put(...six.map((key) => `dir/${key}`));
      listsLike({ page: (all) => all.map((one) => ({ ...one, key: one.key.slice(1) })) });
      expect(await faultOf(walk({ at: 'dir' }))).toMatch(/has a key that was not asked for, "ir\/k0"/);
    });

    test('a key of the page before, also noticed by another process', async () => {
      await put(...six);
      const page: ListingManners['page'] = (all, at) => (at === 0 ? all : [...all, { ...all[0], key: shuffled[0] }]);
      listsLike({ order: byShuffle, startAfter: 'ignored', page });
      for (const fresh of [false, true]) expect(await faultOf(walk({ fresh }))).toMatch(/"k1" twice/);
    });

    test('pages without a key and without an end', async () => {
      listsLike({ next: () => 0, freshTokens: true });
      const client = new S3Client(s3Settings({ ufs: `s3://${bucket}/`, options: { endpoint } }), tuning);
      const keys = new KeyWalk(client, 'x', 20);
      let at: ListCursor = {};
      const toTheEnd = async (): Promise<void> => {
        for (;;) at = (await keys.next({ path: 's3://b/', prefix: '', limit: 9 }, at, undefined)).next!;
      };
      expect(await faultOf(toTheEnd())).toMatch(/over 20 pages in a row without a key/);
      expect(asked).toHaveLength(21);
      await client.close();
    });

    test('disorder that shows late, with the name of the option that helps', async () => {
      const large = new S3TestServer({ allowAnonymous: true });
      const options = { endpoint: (await large.start()).endpoint };
      large.createBucket(bucket);
      const names = Array.from({ length: 12_500 }, (_, i) => `k${String(i).padStart(5, '0')}`);
      for (const name of names) large.generate(bucket, name, 1, 1);
      large.listing = () => ({ order: (a, b) => (a === 'k12200' ? 1 : b === 'k12200' ? -1 : a < b ? -1 : 1) });
      expect(await faultOf(walk({ options }))).toMatch(
        /^Invalid: .* not go on in order: "k12200" comes after "k12499"; .* the option unorderedListing=true/,
      );
      const all = await walk({ options: { ...options, unorderedListing: 'true' } });
      expect(all.keys.sort()).toEqual(names);
      await large.stop();
    }, 60_000);
  });

  describe('documents and entries', () => {
    const entry = (xml: string, key: string, to: (entry: string) => string): string =>
      xml.replace(new RegExp(`<Contents><Key>${key}</Key>.*?</Contents>`), to);

    test.each([
      [['gzip']], [['x-gzip']], [['deflate']], [['raw deflate']], [['br']], [['identity']], [['gzip', 'deflate']],
    ] as const)('comes in the content coding %s', async (codings) => {
      await put(...six);
      const accepted: unknown[] = [];
      server.listing = ({ headers }) => (accepted.push(headers['accept-encoding']), { codings });
      expect((await walk()).keys).toEqual(six);
      expect(new Set(accepted)).toEqual(new Set(['identity']));
    }); // prettier-ignore

    test('an invalid or unknown coding is an error', async () => {
      listsLike({ codings: ['broken gzip'] });
      expect(await faultOf(walk())).toMatch(/^Unavailable: .* not the gzip that it says it is/);
      listsLike({ codings: ['no-such-coding'] });
      expect(await faultOf(walk())).toMatch(/^Invalid: .* content coding that is not known/);
      listsLike({ xml: () => 'x'.repeat(9_000_000), codings: ['gzip'] });
      expect(await faultOf(walk())).toMatch(/^Unavailable: .* too long/);
    });

    test('a missing or wrong field of an entry affects only that entry', async () => {
      await put('100%', 'a', 'b', 'c', 'd');
      listsLike({
        xml: (xml) =>
          [
            ['100%25', (one: string) => one.replace('100%25', '100%')],
            ['a', (one: string) => one.replace(/<ETag>.*<\/ETag>|<LastModified>.*<\/LastModified>/g, '')],
            ['b', (one: string) => one.replace(/<Size>\d+/, '<Size>many')],
            ['c', (one: string) => one.replace('<Key>c</Key>', '')],
          ].reduce((text, [key, to]) => entry(text, key as string, to as (one: string) => string), xml),
      });
      for (const fresh of [false, true]) {
        const { keys, rejected } = await walk({ fresh });
        expect(keys).toEqual(['a', 'd']);
        expect(rejected).toEqual([
          { path: `s3://${bucket}/100%`, reason: expect.stringMatching(/not URL-encoded/) as string },
          { path: `s3://${bucket}/b`, reason: expect.stringMatching(/no whole number/) as string },
          { path: `s3://${bucket}/`, reason: expect.stringMatching(/has no Key/) as string },
        ]);
      }
      const [without] = (await connector.list(`s3://${bucket}/`)).objects;
      expect(without).toMatchObject({ path: `s3://${bucket}/a`, sizeBytes: 12 });
    });

    test('the next answer decides when an answer does not tell whether there is more', async () => {
      await put(...six);
      listsLike({ xml: without('IsTruncated') });
      expect((await walk()).keys).toEqual(six);
      listsLike({ xml: (xml) => without('NextContinuationToken')(without('IsTruncated')(xml)) });
      for (const fresh of [false, true]) expect((await walk({ fresh })).keys).toEqual(six);
      listsLike({ startAfter: 'ignored', xml: (xml) => without('NextContinuationToken')(without('IsTruncated')(xml)) });
      expect(await faultOf(walk())).toMatch(/does not go on in order/);
    });
  });

  describe('a HEAD with 200 for a directory', () => {
    const kinds = [undefined, 'httpd/unix-directory', 'application/x-directory; charset=UTF-8'];
    beforeEach(() => put('dir/a', 'dir/b', 'dir0'));
    const headsLike = (contentType?: string): void =>
      void (server.fault = ({ operation, key }) =>
        operation === 'HeadObject' && ['dir', 'gone'].includes(key) ? { kind: 'directory', contentType } : undefined);

    test.each(kinds)('is decided by the listing (%s)', async (contentType) => {
      headsLike(contentType);
      expect((await walk({ at: 'dir' })).keys).toEqual(['dir/a', 'dir/b']);
      expect((await walk({ at: 'dir', options: { unorderedListing: 'true' } })).keys).toEqual(['dir/a', 'dir/b']);
      expect(await faultOf(connector.stat(`s3://${bucket}/dir`))).toMatch(/^IsDirectory/);
      expect(await faultOf(connector.stat(`s3://${bucket}/gone`))).toMatch(/^NotFound/);
      expect(await connector.exists(`s3://${bucket}/dir`)).toBe(true);
      expect(await connector.exists(`s3://${bucket}/gone`)).toBe(false);
    });

    test('is an object of 0 bytes when the listing has one', async () => {
      await server.put(bucket, 'dir', '');
      for (const contentType of kinds) {
        headsLike(contentType);
        expect((await walk({ at: 'dir' })).keys).toEqual(['dir', 'dir/a', 'dir/b']);
        expect((await connector.stat(`s3://${bucket}/dir`)).sizeBytes).toBe(0);
      }
    });

    test('is accepted as an object when there is no right to list', async () => {
      await server.put(bucket, 'dir', '');
      const shut = (contentType?: string): void =>
        void (server.fault = ({ operation, key }) =>
          operation.startsWith('List')
            ? { kind: 'status', status: 403, code: 'AccessDenied' }
            : key === 'dir'
              ? { kind: 'directory', contentType }
              : undefined);
      shut();
      expect((await connector.stat(`s3://${bucket}/dir`)).sizeBytes).toBe(0);
      shut('httpd/unix-directory');
      expect(await faultOf(connector.stat(`s3://${bucket}/dir`))).toMatch(/^Forbidden/);
    });
  });
});
