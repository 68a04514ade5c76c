import { UfsError } from '../types.js';
import { checkS3Options, s3Settings } from './s3-settings.js';

const settings = (options: Record<string, string> = {}, ufs = 's3://bucket/') => s3Settings({ ufs, options });
const refusal = (options: Record<string, string>, ufs?: string): string => {
  try {
    checkS3Options({ ufs: ufs ?? 's3://bucket/', options });
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
      unorderedListing: false,
      redirects: {
        ownHosts: ['s3.us-east-1.amazonaws.com', 'bucket.s3.us-east-1.amazonaws.com'],
        hosts: [],
      },
      credentials: undefined,
    });
    expect(settings({ region: 'cn-north-1' }).origin).toBe('https://bucket.s3.cn-north-1.amazonaws.com.cn');
  });

  test('an unordered listing is declared, or known from the name of a directory bucket', () => {
    expect(settings({ unorderedListing: 'true' }).unorderedListing).toBe(true);
    expect(settings({}, 's3://data--euw1-az1--x-s3/').unorderedListing).toBe(true);
    expect(settings({ unorderedListing: 'false' }, 's3://data--euw1-az1--x-s3/').unorderedListing).toBe(false);
    expect(() => settings({ unorderedListing: 'yes' })).toThrow('unorderedListing must be "true" or "false"');
  });

  test('a bucket with a dot is addressed by path: no certificate covers two labels', () => {
    expect(settings({}, 's3://my.bucket/')).toMatchObject({
      origin: 'https://s3.us-east-1.amazonaws.com',
      basePath: '/my.bucket/',
    });
  });

  test('an endpoint implies path style, unless an option says otherwise', () => {
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
    [{ endpoint: 'not a url' }, 'option endpoint must be a URL'],
    [{ endpoint: 'localhost:9000' }, 'option endpoint must be a URL'],
    [{ endpoint: 'ftp://h' }, 'option endpoint must be a URL'],
    [{ endpoint: 'http://u:topsecret@h' }, 'option endpoint must not hold credentials'],
    [{ endpoint: 'http://h/?x=1' }, 'option endpoint must not hold a query'],
    [{ region: 'a region' }, 'option region is no region name'],
    [{ pathStyle: 'yes' }, 'option pathStyle must be "true" or "false"'],
    [{ accessKeyId: 'A' }, 'secretAccessKey is missing though accessKeyId is given'],
    [{ 'fs.s3a.access.key': 'A' }, 'fs.s3a.secret.key is missing though fs.s3a.access.key is given'],
    [{ 'fs.s3a.bucket.bucket.access.key': 'A' }, 's3a.secretKey is missing though fs.s3a.bucket.bucket.access.key'],
    [{ 's3a.secretKey': 'topsecret' }, 's3a.accessKeyId is missing though s3a.secretKey is given'],
    [{ sessionToken: 'topsecret' }, 'accessKeyId is missing though sessionToken is given'],
    [{ accessKeyId: 'A\r\nx: y', secretAccessKey: 'topsecret' }, 'accessKeyId holds a character'],
  ])('%j is refused', (options, sentence) => {
    const message = refusal(options);
    expect(message).toContain(sentence);
    expect(message).toMatch(/^The option .*\.$/);
    expect(message).not.toContain('topsecret');
  });

  test.each([
    [{ 'fs.s3a.endpoint': 'http://h:9000', 'fs.s3a.connection.ssl.enabled': 'true' }, 'contradicts fs.s3a.endpoint'],
    [{ endpoint: 'https://h', ssl: 'false' }, 'ssl contradicts endpoint'],
    [{ 'fs.s3a.connection.ssl.enabled': '1' }, 'fs.s3a.connection.ssl.enabled must be "true" or "false"'],
    [{ 'fs.s3a.path.style.access': 'on' }, 'fs.s3a.path.style.access must be "true" or "false"'],
    [{ 'fs.s3a.endpoint': 'user:topsecret@h' }, 'fs.s3a.endpoint must not hold credentials'],
    [{ 'fs.s3a.endpoint.region': '../x' }, 'fs.s3a.endpoint.region is no region name'],
    [{ 'fs.s3a.aws.credentials.provider': 'com.amazonaws.auth.InstanceProfileCredentialsProvider' }, 'no provider'],
    [{ 'fs.s3a.aws.credentials.provider': 'org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider' }, 'no provider'],
  ])('%j is refused too', (options, sentence) => {
    expect(refusal(options)).toContain(sentence);
    expect(refusal(options)).not.toContain('topsecret');
  });

  test.each([
    's3:///key',
    's3://',
    's3://../',
    's3://bu cket/',
    's3://bucket@host/',
    's3://bucket%2f/',
    `s3://${'x'.repeat(256)}/`,
    's3a://bucket/',
  ])('%s is no location', (ufs) => {
    expect(refusal({}, ufs)).toContain('bucket name');
  });

  test('a bucket that cannot be a host name needs path style', () => {
    expect(settings({}, 's3://My_Bucket/').basePath).toBe('/My_Bucket/');
    expect(refusal({ pathStyle: 'false' }, 's3://My_Bucket/')).toContain('pathStyle must be "true"');
    expect(settings({ endpoint: 'http://h' }, 's3://My_Bucket/').basePath).toBe('/My_Bucket/');
  });

  test.each([
    ['MyPhotos', '/MyPhotos/'],
    ['ab', '/ab/'],
    ['-x_', '/-x_/'],
    ['tenant:photos', '/tenant%3Aphotos/'],
    ['x'.repeat(255), `/${'x'.repeat(255)}/`],
  ])('the bucket %s is addressed by path, despite the current naming rules', (bucket, basePath) => {
    expect(settings({ endpoint: 'http://h' }, `s3://${bucket}/`)).toMatchObject({ bucket, basePath });
  });

  test('fault 17: a prefix with `..` or control characters is refused', () => {
    expect(refusal({}, 's3://bucket/a/../b')).toContain('segment');
    expect(refusal({}, 's3://bucket/a\u0000b')).toContain('control character');
  });

  describe('in Hadoop’s spelling', () => {
    test('all of them take effect', () => {
      const hadoop = settings({
        'fs.s3a.access.key': 'A',
        'fs.s3a.secret.key': 'S',
        'fs.s3a.session.token': 'T',
        'fs.s3a.endpoint': 'minio:9000',
        'fs.s3a.endpoint.region': 'eu-west-1',
        'fs.s3a.path.style.access': 'true',
        'fs.s3a.connection.ssl.enabled': 'false',
      });
      expect(hadoop).toEqual(
        settings({
          accessKeyId: 'A',
          secretAccessKey: 'S',
          sessionToken: 'T',
          endpoint: 'http://minio:9000',
          region: 'eu-west-1',
          pathStyle: 'true',
        }),
      );
      expect(hadoop.origin).toBe('http://minio:9000');
    });

    test('an endpoint without a scheme uses TLS unless an option says otherwise', () => {
      expect(settings({ 'fs.s3a.endpoint': 'h:9000' }).origin).toBe('https://h:9000');
      expect(settings({ endpoint: 'h:9000', ssl: 'false' }).origin).toBe('http://h:9000');
      expect(settings({ ssl: 'false' }).origin).toBe('http://bucket.s3.us-east-1.amazonaws.com');
    });

    test.each([
      ['s3.eu-central-1.amazonaws.com', 'eu-central-1'],
      ['https://s3-us-west-2.amazonaws.com', 'us-west-2'],
      ['s3.dualstack.eu-west-1.amazonaws.com', 'eu-west-1'],
      ['s3.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
      ['s3.amazonaws.com', 'us-east-1'],
      ['s3.eu-central-1.example.com', 'us-east-1'],
    ])('the region of %s is %s', (endpoint, region) => {
      expect(settings({ 'fs.s3a.endpoint': endpoint }).region).toBe(region);
      expect(settings({ 'fs.s3a.endpoint': endpoint, region: 'eu-west-3' }).region).toBe('eu-west-3');
    });

    test('options for the bucket override general ones; those for other buckets have no effect', () => {
      const options = {
        'fs.s3a.access.key': 'general',
        'fs.s3a.secret.key': 'S',
        'fs.s3a.bucket.a.b.access.key': 'own',
        'fs.s3a.bucket.a.access.key': 'of-a',
        'fs.s3a.bucket.a.b.c.access.key': 'of-a.b.c',
      };
      expect(refusal(options, 's3://a.b/')).toBe('accepted');
      const idOf = (ufs: string) => settings(options, ufs).credentials?.accessKeyId;
      expect(['s3://a.b/', 's3://aaa/', 's3://a.b.c/x/'].map(idOf)).toEqual(['own', 'general', 'of-a.b.c']);
    });

    test.each([
      ['org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider', undefined],
      ['org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider', { accessKeyId: 'A', secretAccessKey: 'S' }],
      [
        'org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider',
        { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' },
      ],
      [
        'com.amazonaws.auth.EnvironmentVariableCredentialsProvider, org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider',
        { accessKeyId: 'A', secretAccessKey: 'S' },
      ],
    ])('the provider %s decides how requests are signed', (provider, credentials) => {
      const options = { accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' };
      const withProvider = { ...options, 'fs.s3a.aws.credentials.provider': provider };
      expect(refusal(withProvider)).toBe('accepted');
      expect(settings(withProvider).credentials).toEqual(credentials);
    });
  });

  test('mounts of older versions open as before: spellings without meaning then contradict nothing now', () => {
    const old = { endpoint: 'http://h:9000', 'fs.s3a.endpoint': 'other:1', 'fs.s3a.aws.credentials.provider': 'x.Y' };
    expect(refusal(old)).toContain('different values');
    expect(settings(old)).toEqual(settings({ endpoint: 'http://h:9000' }));
  });
});
