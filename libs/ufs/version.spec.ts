import * as fc from 'fast-check';
import {
  compareVersions,
  isSameCopy,
  isSameVersion,
  isStrong,
  judgeAnswer,
  noVersion,
  preconditionOf,
  strongerOf,
  versionOf,
} from './version.js';

const md5 = '0123456789abcdef0123456789abcdef';
const header = 'Thu, 01 Jan 2026 10:00:00 GMT';
const listed = '2026-01-01T10:00:00.000Z';

describe('versions', () => {
  test.each([
    ['a strong tag, as older caches have it', { etag: `"${md5}"`, lastModified: header }, md5],
    ['a tag without quotes', { etag: md5 }, md5],
    ['a tag with quotes twice', { etag: `""${md5}""` }, md5],
    ['a header that came twice', { etag: [`"${md5}"`, '"other"'] }, md5],
    ['a weak tag', { etag: 'W/"abc"', lastModified: header }, `W/"abc" @${listed}`],
    ['a weak tag without quotes', { etag: 'W/abc' }, 'W/"abc"'],
    ['a tag that cannot be sent', { etag: '"a"b"' }, 'W/"a"b"'],
    ['a tag of no ASCII', { etag: '"é"' }, 'W/"é"'],
    ['a time', { lastModified: header }, `W/"" @${listed}`],
    ['an empty tag', { etag: '""', lastModified: listed }, `W/"" @${listed}`],
    ['the epoch', { lastModified: 'Thu, 01 Jan 1970 00:00:00 GMT' }, noVersion],
    ['no time', { lastModified: '12' }, noVersion],
    ['nothing', {}, noVersion],
  ])('%s', (_what, given, version) => {
    expect(versionOf(given)).toBe(version);
  });

  const times = { second: `W/"" @${listed}`, after: 'W/"" @2026-01-01T10:00:01.000Z' };
  test.each([
    ['strong tags', md5, md5, 'same'],
    ['strong tags', md5, 'other', 'other'],
    ['a cache from before, and now', 'W/"abc"', versionOf({ etag: 'W/"abc"', lastModified: header }), 'same'],
    ['a cache from before that kept quotes', `"${md5}"`, md5, 'same'],
    ['a tag that a proxy made weak', md5, `W/"${md5}"`, 'same'],
    ['weak tags', 'W/"a"', 'W/"b"', 'other'],
    ['weak tags alike at two times', `W/"a" @${listed}`, 'W/"a" @2026-01-01T10:00:01.000Z', 'other'],
    ['times', times.second, times.second, 'same'],
    ['times', times.second, times.after, 'other'],
    ['a time rounded down', 'W/"" @2026-01-01T10:00:00.700Z', times.second, 'same'],
    ['a time rounded up', 'W/"" @2026-01-01T10:00:00.700Z', times.after, 'same'],
    ['two fine times', 'W/"" @2026-01-01T10:00:00.700Z', 'W/"" @2026-01-01T10:00:00.701Z', 'other'],
    ['a weak tag with a time, and a time', `W/"a" @${listed}`, times.second, 'same'],
    ['a strong tag and a time', md5, times.second, 'unknown'],
    ['a strong tag and nothing', md5, noVersion, 'unknown'],
    ['nothing and nothing', noVersion, noVersion, 'unknown'],
    ['a weak tag and nothing', 'W/"a"', noVersion, 'unknown'],
    ['versions of files', '1700000000000000000-5-42', '1700000000000000000-5-43', 'other'],
  ] as const)('compared: %s (%j, %j) are %s', (_what, one, other, likeness) => {
    expect(compareVersions(one, other)).toBe(likeness);
    expect(compareVersions(other, one)).toBe(likeness);
  });

  test('two sizes are two versions, and an unknown one is not the same', () => {
    expect(isSameVersion({ version: md5, sizeBytes: 1 }, { version: md5, sizeBytes: 1 })).toBe(true);
    expect(isSameVersion({ version: md5, sizeBytes: 1 }, { version: md5, sizeBytes: 2 })).toBe(false);
    expect(isSameVersion({ version: noVersion, sizeBytes: 1 }, { version: noVersion, sizeBytes: 1 })).toBe(false);
    expect(isSameCopy({ version: noVersion, sizeBytes: 1 }, { version: noVersion, sizeBytes: 1 })).toBe(true);
    expect(isSameCopy({ version: noVersion, sizeBytes: 1 }, { version: noVersion, sizeBytes: 2 })).toBe(false);
  });

  test.each([
    [md5, { 'if-match': `"${md5}"` }],
    [`"${md5}"`, { 'if-match': `"${md5}"` }],
    ['W/"abc"', undefined],
    [`W/"abc" @${listed}`, { 'if-unmodified-since': header }],
    ['W/"" @2026-01-01T09:59:59.001Z', { 'if-unmodified-since': header }],
    [noVersion, undefined],
    ['with space', undefined],
  ])('the precondition of %j', (version, headers) => {
    expect(preconditionOf(version)).toEqual(headers);
  });

  test.each([
    ['the same tag', md5, { etag: `"${md5}"` }, 'same', md5],
    ['another tag', md5, { etag: '"x"', lastModified: header }, 'other', md5],
    ['no tag', md5, { lastModified: header }, 'unknown', md5],
    ['a tag where the listing has none', times.second, { etag: '"x"', lastModified: header }, 'same', 'x'],
    ['a tag, and another time', times.after, { etag: '"x"', lastModified: header }, 'other', times.after],
    ['a tag, and no time', times.second, { etag: '"x"' }, 'unknown', times.second],
    ['a weak tag of the same text', md5, { etag: `W/"${md5}"` }, 'same', md5],
    ['nothing', times.second, {}, 'unknown', times.second],
  ] as const)('an answer with %s', (_what, expected, answer, likeness, version) => {
    expect(judgeAnswer(expected, answer)).toEqual({ likeness, version });
  });

  test('the stronger of two versions is kept', () => {
    const ranked = [md5, `W/"a" @${listed}`, times.second, noVersion];
    ranked.forEach((one, i) => {
      for (const other of ranked.slice(i + 1)) {
        expect([strongerOf(one, other), strongerOf(other, one)]).toEqual([one, one]);
      }
    });
    expect([md5, 'W/"a"', noVersion].map(isStrong)).toEqual([true, false, false]);
  });

  test('any validators give a version that equals itself, if there is one, and a valid precondition', () => {
    const etag = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('"a"', 'W/"a"', 'a', '""', 'W/'));
    const lastModified = fc.oneof(
      fc.string(),
      fc.date({ noInvalidDate: true, min: new Date(1), max: new Date('9999-01-01') }).map((date) => date.toISOString()),
      fc.date({ noInvalidDate: true, min: new Date(1), max: new Date('9999-01-01') }).map((date) => date.toUTCString()),
    );
    const given = fc.record({ etag, lastModified }, { requiredKeys: [] });
    fc.assert(
      fc.property(given, (validators) => {
        const version = versionOf(validators);
        expect(version).not.toBe('');
        expect(compareVersions(version, version)).toBe(version === noVersion ? 'unknown' : 'same');
        const headers = Object.values<string>(preconditionOf(version) ?? {});
        for (const value of headers)
          expect(value).toMatch(/^"[\x21\x23-\x7e]+"$|^\w{3}, \d\d \w{3} \d{4,5} [\d:]{8} GMT$/);
        if (!isStrong(version)) expect(headers.every((value) => !value.startsWith('"'))).toBe(true);
      }),
    );
  });
});
