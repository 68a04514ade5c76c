import * as fc from 'fast-check';
import { scanListing } from './list-scan.js';
import { parseAnyKeyPage, parseKeyPage } from './list-xml.js';

const outcomeOf = (parse: typeof parseKeyPage, xml: string): unknown => {
  try {
    return parse(Buffer.from(xml), 's3://b/');
  } catch (error) {
    return String(error);
  }
};
const text = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('5', 'true', 'url', 'a%2Fb+c', '&amp;', '&#x41;') },
  fc.constantFrom('', ' ', '5', 'true', 'false', 'url', '007', '__proto__', 'a%2Fb+c', '%', '&amp;', '&#x41;', '&no;'),
  fc.constantFrom('>', ']]>', '"', '<', '<!-- -->', '<![CDATA[x]]>', '<a/>', '\r\n', '\t', '\ufeff', '\0', 'é😀'),
  fc.string({ maxLength: 6 }),
);
const leaf = fc
  .tuple(
    fc.constantFrom('Key', 'Key', 'Key', 'Size', 'Size', 'ETag', 'LastModified', 'StorageClass', 'Type', 'constructor'),
    text,
  )
  .map(([name, inner]) => `<${name}>${inner}</${name}>`);
const entry = fc
  .array(
    fc.oneof(leaf, leaf, fc.constantFrom(' ', '\n  ', '<Owner><ID>1</ID></Owner>', '<Key/>', 'x', '<Owner></Owner>')),
    {
      maxLength: 5,
    },
  )
  .map((parts) => `<Contents>${parts.join('')}</Contents>`);
const top = fc
  .tuple(
    fc.constantFrom('IsTruncated', 'NextContinuationToken', 'NextMarker', 'Marker', 'KeyCount', 'EncodingType', 'Name'),
    text,
  )
  .map(([name, inner]) => `<${name}>${inner}</${name}>`);
const document = fc
  .tuple(
    fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>\n', '<?xml version="1.0"?>', '<?xml version="1.1"?>', '\ufeff', ' '),
    fc.constantFrom('', ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ' a="b>c"'),
    fc.array(fc.oneof(entry, entry, top, fc.constantFrom('\n', '<Prefix/>', '<CommonPrefixes/>', '<Contents/>')), { maxLength: 6 }),
    fc.constantFrom('', '', '', '\n', '<!-- end -->', 'x'),
  )
  .map(([prolog, attributes, parts, rest]) => `${prolog}<ListBucketResult${attributes}>${parts.join('')}</ListBucketResult>${rest}`); // prettier-ignore

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`).replaceAll('&#38;', '&amp;');
const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((one) => one.isWellFormed() && !/[\r\0]/.test(one));
/** A listing as stores write it: any keys, optional elements, with or without line breaks. */
const usualListing = fc
  .record({
    keys: fc.array(key, { maxLength: 8 }),
    gap: fc.constantFrom('', '\n', '\n  '),
    more: fc.option(key),
    owner: fc.boolean(),
    prolog: fc.constantFrom('', '<?xml version="1.0" encoding="UTF-8"?>\n'),
  })
  .map(({ keys, gap, more, owner, prolog }) => {
    const entries = keys.map(
      (one, i) =>
        `<Contents>${gap}<Key>${escaped(one)}</Key>${gap}<LastModified>2024-01-01T00:00:00.000Z</LastModified>` +
        `<ETag>&quot;${i}&quot;</ETag><Size>${i}</Size>${owner ? '<Owner><ID>1</ID></Owner>' : ''}</Contents>${gap}`,
    );
    const end = more === null ? '' : `<NextContinuationToken>${escaped(more)}</NextContinuationToken>`;
    return (
      `${prolog}<ListBucketResult>${gap}<Name>b</Name><IsTruncated>${more !== null}</IsTruncated>${end}` +
      `${entries.join('')}</ListBucketResult>`
    );
  });

describe('the quick reading of listings', () => {
  test('reads any listing in the usual form, as the general parser does', () => {
    fc.assert(
      fc.property(usualListing, (xml) => {
        expect(scanListing(xml, (one) => one)).toBeDefined();
        expect(outcomeOf(parseKeyPage, xml)).toEqual(outcomeOf(parseAnyKeyPage, xml));
      }),
      { numRuns: 500 },
    );
  });

  test('agrees with the general parser on any document', () => {
    let scanned = 0;
    fc.assert(
      fc.property(document, fc.nat(), fc.boolean(), (xml, cut, isCut) => {
        const given = isCut ? xml.slice(0, cut % (xml.length + 1)) : xml;
        if (scanListing(given, (one) => one) !== undefined) scanned++;
        expect(outcomeOf(parseKeyPage, given)).toEqual(outcomeOf(parseAnyKeyPage, given));
      }),
      { numRuns: 3000 },
    );
    expect(scanned).toBeGreaterThan(20);
  });

  test('reads what Amazon and others send', () => {
    const contents =
      '<Contents><Key>a b</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>5</Size><Owner><ID>1</ID><DisplayName></DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>';
    const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>false</IsTruncated>\n  ${contents}</ListBucketResult>\n`;
    const entry = { Key: 'a b', LastModified: '2024-01-01T00:00:00.000Z', ETag: '"x"', Size: '5' };
    expect(scanListing(xml, (one) => one.replaceAll('&quot;', '"'))).toEqual({
      IsTruncated: 'false',
      Contents: [entry],
    });
  });
});
