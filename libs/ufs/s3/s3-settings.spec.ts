import { UfsError } from '../types.js';
import { s3Settings } from './s3-settings.js';

const settings = (options: Record<string, string> = {}, ufs = 's3://bucket/') => s3Settings({ ufs, options });
const refusal = (options: Record<string, string>, ufs?: string): string => {
  try {
    settings(options, ufs);
  } catch (error) {
    if (error instanceof UfsError && error.code === 'Invalid') return error.message;
    throw error;
  }
  return 'accepted';
};

describe('S3 options', () => {
  test('without any: Amazon, virtual-hosted, anonymous', () => {
    expect(settings()).toEqual({
      bucket: 'bucket',
      keyPrefix: '',
      origin: 'https://bucket.s3.us-east-1.amazonaws.com',
      basePath: '/',
      region: 'us-east-1',
      credentials: undefined,
    });
    expect(settings({ region: 'cn-north-1' }).origin).toBe('https://bucket.s3.cn-north-1.amazonaws.com.cn');
  });

  test('a bucket with a dot is addressed by path: no certificate covers two labels', () => {
    expect(settings({}, 's3://my.bucket/')).toMatchObject({
      origin: 'https://s3.us-east-1.amazonaws.com',
      basePath: '/my.bucket/',
    });
  });

  test('an endpoint means path style, unless told otherwise', () => {
    expect(settings({ endpoint: 'http://h:9000' })).toMatchObject({ origin: 'http://h:9000', basePath: '/bucket/' });
    expect(settings({ endpoint: 'http://h:9000/s3/' }).basePath).toBe('/s3/bucket/');
    expect(settings({ endpoint: 'http://h:9000', pathStyle: 'false' })).toMatchObject({
      origin: 'http://bucket.h:9000',
      basePath: '/',
    });
    expect(settings({ pathStyle: 'TRUE' }).basePath).toBe('/bucket/');
  });

  test.each([
    ['s3a.accessKeyId', 's3a.secretKey'],
    ['accessKeyId', 'secretAccessKey'],
    ['s3a.accessKeyId', 'secretAccessKey'],
  ])('%s and %s are the credentials', (id, secret) => {
    expect(settings({ [id]: 'A', [secret]: 'S' }).credentials).toEqual({ accessKeyId: 'A', secretAccessKey: 'S' });
  });

  test('the reference’s names and the plain ones mean the same', () => {
    const long = {
      'alluxio.underfs.s3.endpoint': 'http://h:9000',
      'alluxio.underfs.s3.region': 'eu-west-1',
      'alluxio.underfs.s3.disable.dns.buckets': 'true',
    };
    const plain = { endpoint: 'http://h:9000', region: 'eu-west-1', pathStyle: 'true' };
    expect(settings(long)).toEqual(settings(plain));
    expect(settings({ ...long, ...plain })).toEqual(settings(plain));
    expect(refusal({ ...long, region: 'us-west-2' })).toBe(
      'The option alluxio.underfs.s3.region and region mean the same and have different values.',
    );
  });

  test('an empty option counts as absent', () => {
    const empty = { endpoint: '', region: '', pathStyle: '', accessKeyId: '', secretAccessKey: '', sessionToken: '' };
    expect(settings(empty)).toEqual(settings());
  });

  test('a location below the bucket is a prefix', () => {
    expect(settings({}, 's3://bucket').keyPrefix).toBe('');
    expect(settings({}, 's3://bucket/a/b').keyPrefix).toBe('a/b/');
    expect(settings({}, 's3://bucket/a/b/').keyPrefix).toBe('a/b/');
  });

  test.each([
    [{ endpoint: 'not a url' }, 'alluxio.underfs.s3.endpoint must be a URL'],
    [{ endpoint: 'localhost:9000' }, 'alluxio.underfs.s3.endpoint must be a URL'],
    [{ endpoint: 'ftp://h' }, 'alluxio.underfs.s3.endpoint must be a URL'],
    [{ endpoint: 'http://u:topsecret@h' }, 'alluxio.underfs.s3.endpoint must not hold credentials'],
    [{ endpoint: 'http://h/?x=1' }, 'alluxio.underfs.s3.endpoint must not hold a query'],
    [{ region: 'a region' }, 'alluxio.underfs.s3.region is no region name'],
    [{ pathStyle: 'yes' }, 'alluxio.underfs.s3.disable.dns.buckets must be "true" or "false"'],
    [{ accessKeyId: 'A' }, 's3a.secretKey is missing though s3a.accessKeyId is given'],
    [{ 's3a.secretKey': 'topsecret' }, 's3a.accessKeyId is missing though s3a.secretKey is given'],
    [{ sessionToken: 'topsecret' }, 's3a.accessKeyId is missing though sessionToken is given'],
    [{ accessKeyId: 'A\r\nx: y', secretAccessKey: 'topsecret' }, 's3a.accessKeyId holds a character'],
  ])('%j is refused', (options, sentence) => {
    const message = refusal(options);
    expect(message).toContain(sentence);
    expect(message).toMatch(/^The option .*\.$/);
    expect(message).not.toContain('topsecret');
  });

  test.each([
    's3:///key',
    's3://',
    's3://-bucket/',
    's3://bu cket/',
    's3://bucket@host/',
    's3://bucket:80/',
    's3a://bucket/',
  ])('%s is no location', (ufs) => {
    expect(refusal({}, ufs)).toContain('bucket name');
  });

  test('a bucket that cannot be a host name needs path style', () => {
    expect(refusal({}, 's3://My_Bucket/')).toContain('disable.dns.buckets must be "true"');
    expect(settings({ endpoint: 'http://h' }, 's3://My_Bucket/').basePath).toBe('/My_Bucket/');
  });

  test('fault 17: a prefix with `..` or control characters is refused', () => {
    expect(refusal({}, 's3://bucket/a/../b')).toContain('segment');
    expect(refusal({}, 's3://bucket/a\u0000b')).toContain('control character');
  });
});
