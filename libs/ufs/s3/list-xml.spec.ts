import { parseErrorBody, parseKeyPage } from './list-xml.js';

const contents = (key: string, size = '5'): string =>
  `<Contents><Key>${key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>` +
  `<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>${size}</Size></Contents>`;
const answer = (inner: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
  `${inner}</ListBucketResult>\n`;
const keysOf = (xml: string): string[] | undefined => parseKeyPage(xml)?.keys.map(({ key }) => key);

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
    const page = parseKeyPage(
      answer(`<IsTruncated>true</IsTruncated><NextContinuationToken>007</NextContinuationToken>${many}`),
    );
    expect(page?.keys).toHaveLength(1000);
    expect(page?.keys[999]).toEqual({ key: 'k999', sizeBytes: 5, version: '0123456789abcdef0123456789abcdef' });
    expect(page).toMatchObject({ isTruncated: true, continuationToken: '007' });
  });

  test('an empty listing and a single key are pages too', () => {
    expect(parseKeyPage(answer('<IsTruncated>false</IsTruncated><Prefix></Prefix>'))?.keys).toEqual([]);
    expect(keysOf(answer(contents('one')))).toEqual(['one']);
  });

  test.each([
    ['an answer cut short', answer(contents('a')).slice(0, -30)],
    ['HTML', '<html><body>It works!</body></html>'],
    ['another S3 answer', '<Error><Code>NoSuchKey</Code></Error>'],
    ['a key without a size', answer('<Contents><Key>a</Key><ETag>"e"</ETag></Contents>')],
    ['a size that is no number', answer(contents('a', 'big'))],
    ['a key that is not encoded as announced', answer(`<EncodingType>url</EncodingType>${contents('a%zz')}`)],
    ['nothing', ''],
  ])('%s is no listing', (_, xml) => {
    expect(parseKeyPage(xml)).toBeUndefined();
  });

  test('of an error only what looks like a code or a region is taken', () => {
    expect(parseErrorBody('<Error><Code>NoSuchKey</Code><Region>eu-west-1</Region></Error>')).toEqual({
      code: 'NoSuchKey',
      region: 'eu-west-1',
    });
    expect(parseErrorBody('<Error><Code>some words</Code></Error>').code).toBeUndefined();
  });

  test('a document that defines entities is not expanded', () => {
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>${answer(contents('&a;&a;'))}`;
    expect(keysOf(bomb) ?? ['&a;&a;']).toEqual(['&a;&a;']);
  });
});
