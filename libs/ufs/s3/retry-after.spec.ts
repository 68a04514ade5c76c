import { answerError } from './s3-errors.js';
import { retryAfter } from './retry-after.js';

describe('retryAfter', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');

  it.each([
    ['7', undefined, 7_000],
    ['0', undefined, 0],
    [' 2 ', undefined, 2_000],
    ['1.5', undefined, 1_500],
    ['Sun, 01 Mar 2026 12:00:30 GMT', undefined, 30_000],
    // The server's clock is a minute ahead of ours.
    ['Sun, 01 Mar 2026 12:01:30 GMT', 'Sun, 01 Mar 2026 12:01:00 GMT', 30_000],
    ['Sunday, 01-Mar-26 12:00:30 GMT', undefined, 30_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', undefined, 0],
    ['soon', undefined, undefined],
    ['-5', undefined, undefined],
    ['', undefined, undefined],
    ['Xyz, nonsense', undefined, undefined],
  ])('reads %j with the date %j as %j ms', (value, date, expected) => {
    expect(retryAfter({ 'retry-after': value, date }, nowMs)).toBe(expected);
  });

  it('is undefined without the header', () => expect(retryAfter({}, nowMs)).toBeUndefined());
});

describe('the cause of an error answer', () => {
  const blame = (status: number, code = '', headers = {}) =>
    answerError('s3://b/k', { status, headers, body: Buffer.from(code && `<Error><Code>${code}</Code></Error>`) });

  it.each([
    [503, 'SlowDown', 'store'],
    [503, '', 'store'],
    [429, '', 'store'],
    [400, 'ThrottlingException', 'store'],
    [500, 'InternalError', 'unclear'],
    [502, '', 'unclear'],
    [400, 'RequestTimeout', 'unclear'],
    [403, 'AccessDenied', undefined],
    [404, 'NoSuchKey', undefined],
    [400, 'InvalidArgument', undefined],
    [412, '', undefined],
  ])('%i %s: %s', (status, code, expected) => expect(blame(status, code).blame).toBe(expected));

  it('is the store when the answer names a time', () => {
    expect(blame(500, '', { 'retry-after': '3' })).toMatchObject({ blame: 'store', retryAfterMs: 3_000 });
  });
});
