import { type UfsError } from '../types.js';
import { parseErrorBody, parseKeyPage, type KeyPage } from './list-xml.js';

const contents = (key: string, size = '5'): string =>
  `<Contents><Key>${key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>` +
  `<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>${size}</Size></Contents>`;
const answer = (inner: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
  `${inner}</ListBucketResult>\n`;
const parse = (xml: string): KeyPage => parseKeyPage(Buffer.from(xml), 's3://b/');
const keysOf = (xml: string): (string | undefined)[] => parse(xml).entries.map(({ key }) => key);
const refusalOf = (xml: string | Buffer): string => {
  try {
    parseKeyPage(Buffer.from(xml), 's3://b/');
    return 'no error';
  } catch (error) {
    return `${(error as UfsError).code}: ${(error as UfsError).message}`;
  }
};

describe('reading a ListObjectsV2 answer', () => {
  test.each(['007', 'true', 'null', '1e3', '0x10', ' leading', 'trailing ', 'a//b', 'dir/', '__proto__', '.5'])(
    'the key %j stays text',
    (key) => {
      expect(keysOf(answer(`<IsTruncated>false</IsTruncated>${contents(key)}`))).toEqual([key]);
    },
  );

  test.each([
    ['&amp;&lt;&gt;&quot;&apos;', `&<>"'`],
    ['&amp;amp;', '&amp;'],
    ['&#x1F600;&#233;&#x0d;', '😀é\r'],
    ['a%2Fb+c', 'a%2Fb+c'],
    ['&unknown;', '&unknown;'],
  ])('the references of %j are resolved once', (written, key) => {
    expect(keysOf(answer(`<IsTruncated>false</IsTruncated>${contents(written)}`))).toEqual([key]);
  });

  test.each([
    ['a%2Fb', 'a/b'],
    ['a%252Fb', 'a%2Fb'],
    ['a+b%2Bc%20d', 'a b+c d'],
    ['%F0%9F%98%80e%CC%81', '😀e\u0301'],
    ['%26amp%3B', '&amp;'],
  ])('with EncodingType url, %j is decoded', (written, key) => {
    expect(keysOf(answer(`<EncodingType>url</EncodingType>${contents(written)}`))).toEqual([key]);
  });

  test('a full page has a thousand ETags without their quotes', () => {
    const many = Array.from({ length: 1000 }, (_, index) => contents(`k${index}`)).join('');
    const page = parse(
      answer(`<IsTruncated>true</IsTruncated><NextContinuationToken>007</NextContinuationToken>${many}`),
    );
    expect(page.entries).toHaveLength(1000);
    expect(page.entries[999]).toEqual({ key: 'k999', sizeBytes: 5, version: '0123456789abcdef0123456789abcdef' });
    expect(page).toMatchObject({ isTruncated: true, token: '007', isV1: false });
  });

  test('an empty listing and a single key are pages too', () => {
    expect(keysOf(answer('<IsTruncated>false</IsTruncated><Prefix></Prefix>'))).toEqual([]);
    expect(keysOf(answer('<IsTruncated>false</IsTruncated><Contents/><CommonPrefixes/>'))).toEqual([]);
    expect(keysOf('<ListBucketResult/>')).toEqual([]);
    expect(keysOf(answer(contents('one')))).toEqual(['one']);
  });

  const plain = answer(`<IsTruncated>false</IsTruncated>${contents('a b')}`);
  test.each([
    ['a byte-order mark', `\ufeff${plain}`],
    ['no declaration', plain.replace(/<\?.*\?>\n/, '')],
    ['a declaration of its own', plain.replace(/<\?.*\?>/, `<?xml version='1.1' encoding='utf8' standalone="yes"?>`)],
    ['comments', `<!-- <Contents> -->${plain.replace('<Key>a b', '<!--x--><Key>a<!-- y --> b')}<!-- </a> -->`],
    ['processing instructions', plain.replace('<IsTruncated>', '<?x y?><IsTruncated>')],
    ['CDATA', plain.replace('a b', '<![CDATA[a b]]>')],
    ['a prefix of the namespace', plain.replaceAll('</', '</s3:').replace(/<(?=[A-Z])/g, '<s3:')],
    ['attributes', plain.replace('<Key>', '<Key xml:space="preserve" x="a>b">')],
    ['line breaks and indents', plain.replaceAll(/>(?=<)/g, '>\r\n    ')],
    ['a size between spaces', plain.replace('<Size>5<', '<Size> 5\n<').replace('>false<', '> false <')],
    ['a last element with a space in its tag', plain.replace('</ListBucketResult>', '</ListBucketResult >')],
    ['further elements', plain.replace('<Key>', '<Owner><ID>1</ID><Key>no</Key></Owner><Key>')],
  ])('%s is XML like any other', (_, xml) => {
    const [entry, ...others] = parse(xml).entries;
    expect(others).toEqual([]);
    expect(entry).toEqual({ key: 'a b', sizeBytes: 5, version: '0123456789abcdef0123456789abcdef' });
    expect(parse(xml).isTruncated).toBe(false);
  });

  test('references in CDATA are text', () => {
    expect(keysOf(answer(contents('x&amp;<![CDATA[&amp;<]]>y')))).toEqual(['x&&amp;<y']);
  });

  test.each([
    ['empty', '<ETag/><NextContinuationToken/><NextMarker></NextMarker><StorageClass/>'],
    ['missing', ''],
  ])('elements that need not be there may be %s', (_, elements) => {
    const entry = `<Contents><Key>a</Key><Size>0</Size>${elements.slice(0, 7)}</Contents>`;
    const page = parse(answer(`<IsTruncated>false</IsTruncated>${elements.slice(7)}${entry}`));
    expect(page).toMatchObject({ token: undefined, nextMarker: undefined });
    expect(page.entries).toEqual([{ key: 'a', sizeBytes: 0, version: 'W/""' }]);
  });

  test.each([
    ['no key', '<Contents><Size>1</Size></Contents>', undefined],
    ['an empty key', '<Contents><Key/><Size>1</Size></Contents>', undefined],
    ['two keys', '<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>', undefined],
    ['no size', '<Contents><Key>a</Key></Contents>', 'a'],
    ['an empty size', contents('a', ''), 'a'],
    ['a size in words', contents('a', 'big'), 'a'],
    ['a negative size', contents('a', '-1'), 'a'],
    ['half a byte', contents('a', '1.5'), 'a'],
    ['a size in another notation', contents('a', '1e3'), 'a'],
    ['a size that no number can hold', contents('a', '9007199254740993'), 'a'],
    ['a key that is not encoded as announced', `<EncodingType>url</EncodingType>${contents('100%')}`, undefined],
    ['bytes that are no text', `<EncodingType>url</EncodingType>${contents('a%ff')}`, undefined],
  ])('an entry with %s affects only that entry', (_, entry, key) => {
    const { entries } = parse(answer(`<IsTruncated>false</IsTruncated>${contents('before')}${entry}${contents('z')}`));
    expect(entries.map(({ fault }) => fault !== undefined)).toEqual([false, true, false]);
    expect(entries[1]?.key).toBe(key);
    expect(entries[1]?.fault).toMatch(/^[A-Z].*\.$/);
  });

  test('a key that is not UTF-8 affects only its entry, beside a key with the replacement character', () => {
    const whole = Buffer.from(answer(contents('good') + contents('b?d')));
    whole[whole.indexOf('b?d') + 1] = 0xff;
    const { entries } = parseKeyPage(whole, 's3://b/');
    expect(entries.map(({ key, name }) => [key, name])).toEqual([
      ['good', undefined],
      [undefined, 'b\ufffdd'],
    ]);
    expect(keysOf(answer(contents('b\ufffdd')))).toEqual(['b\ufffdd']);
  });

  test.each([
    ['an answer cut short', answer(contents('a')).slice(0, -30)],
    ['an answer cut in a comment', `${answer(contents('a')).slice(0, -20)}<!--`],
    ['HTML', '<html><body>It works!</body></html>'],
    ['another S3 answer', '<Error><Code>NoSuchKey</Code></Error>'],
    ['two answers', answer('') + answer('')],
    ['nothing', ''],
  ])('%s is no listing', (_, xml) => {
    expect(refusalOf(xml)).toMatch(/^Unavailable: .*no S3 listing, or not a whole one/);
  });

  test.each([
    ['IsTruncated', answer('<IsTruncated>True</IsTruncated>')],
    ['IsTruncated', answer('<IsTruncated>1</IsTruncated>')],
    ['IsTruncated', answer('<IsTruncated>false</IsTruncated><IsTruncated>true</IsTruncated>')],
    ['NextContinuationToken', answer('<NextContinuationToken><a>1</a></NextContinuationToken>')],
    ['NextMarker', answer('<NextMarker>a</NextMarker><NextMarker>b</NextMarker>')],
    ['EncodingType', answer('<EncodingType>base64</EncodingType>')],
    ['CommonPrefixes', answer('<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>')],
    ['document type', `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>${answer(contents('&a;&a;'))}`],
    ['document type', `<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1:1/x">${answer('').slice(38)}`],
    ['UTF-8', answer('').replace('UTF-8', 'ISO-8859-1')],
  ])('another %s than a documented one is refused by name', (name, xml) => {
    const refusal = refusalOf(xml);
    expect(refusal).toMatch(/^Invalid: The server's listing .*\.$/);
    expect(refusal).toContain(name);
  });

  test.each([
    ['V1 by its marker', '<Marker/><KeyCount>1</KeyCount>', true],
    ['V1 by what it lacks', '', true],
    ['V2 by its count', '<KeyCount>1</KeyCount>', false],
    ['V2 by its token, whatever else', '<Marker/><NextContinuationToken>t</NextContinuationToken>', false],
  ])('an answer of %s', (_, elements, isV1) => {
    expect(parse(answer(`<IsTruncated>true</IsTruncated>${elements}${contents('a')}`)).isV1).toBe(isV1);
  });

  test('a marker is encoded as the keys are', () => {
    const page = answer('<EncodingType>url</EncodingType><NextMarker>a+b%2Bc</NextMarker>');
    expect(parse(page).nextMarker).toBe('a b+c');
    expect(parse(answer('<NextMarker>a+b</NextMarker>')).nextMarker).toBe('a+b');
  });

  test('an error only gives text that looks like a code or a region', () => {
    expect(parseErrorBody('<Error><Code>NoSuchKey</Code><Region>eu-west-1</Region></Error>')).toEqual({
      code: 'NoSuchKey',
      region: 'eu-west-1',
    });
    expect(parseErrorBody('<Error><Code>some words</Code></Error>').code).toBeUndefined();
  });
});
