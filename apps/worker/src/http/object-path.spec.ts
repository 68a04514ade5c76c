import { objectPath } from './object-path.js';

const ask = (query: string) => objectPath(`/v1/objects${query}`);

describe('objectPath', () => {
  it.each(['s3://bucket/a%2Fb', 's3://bucket/a+b c', 's3://bucket/\u00e9', 's3://bucket/e\u0301', 's3://bucket/🎈/'])(
    'fault 20: takes %s literally after one decoding',
    (path) => {
      expect(ask(`?path=${encodeURIComponent(path)}`)).toBe(path);
    },
  );

  it('reads + as a space, as forms do', () => {
    expect(ask('?path=file:///a+b')).toBe('file:///a b');
  });

  it.each([
    ['', 'Required parameters not provided'],
    ['?path=', 'Required parameters not provided'],
    ['?other=1', 'Required parameters not provided'],
    ['?path=file:///a&path=file:///b', 'given once'],
    ['?path=file:///%FF', 'percent-encoded UTF-8'],
    ['?path=file:///%zz', 'percent-encoded UTF-8'],
    ['?path=file:///a/../b', "'..'"],
    ['?path=file:///a%00b', 'control character'],
    ['?path=ftp://host/a', 'ftp'],
    ['?path=/data/a', 'UFS path'],
  ])('fault 17: refuses %s', (query, message) => {
    expect(() => ask(query)).toThrow(message);
  });
});
