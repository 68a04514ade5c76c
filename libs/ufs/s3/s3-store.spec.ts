import fc from 'fast-check';
import { storeOfLocation } from '../declarations/index.js';

const bucket = 's3://b/';
const at = (endpoint: string, more: Record<string, string> = {}) => storeOfLocation(bucket, { endpoint, ...more });

describe('the store of a location', () => {
  it.each([
    ['the host in any case', 'https://Minio.Example:9000', 'https://minio.example:9000/'],
    ['the default port of https', 'https://minio.example', 'https://minio.example:443'],
    ['the default port of http', 'http://minio.example/', 'http://minio.example:80'],
    ['a dot behind the host', 'https://minio.example.', 'https://minio.example'],
    ['slashes behind a path', 'https://gateway.example/s3//', 'https://gateway.example/s3'],
    ['a regional endpoint of Amazon', 'https://s3.eu-west-1.amazonaws.com', 'https://s3.amazonaws.com'],
    ['an old regional endpoint', 'https://s3-us-west-2.amazonaws.com', 'https://s3.us-west-2.amazonaws.com'],
    ['dual stack', 'https://s3.dualstack.eu-west-1.amazonaws.com', 'https://s3.eu-west-1.amazonaws.com'],
    ['FIPS', 'https://s3-fips.us-east-1.amazonaws.com', 'https://s3.amazonaws.com'],
    ['acceleration', 'https://s3-accelerate.dualstack.amazonaws.com', 'https://s3-accelerate.amazonaws.com'],
    ['Amazon without TLS', 'http://s3.amazonaws.com', 'https://s3.amazonaws.com'],
  ])('is the same in any spelling: %s', (_what, one, other) => {
    expect(at(one)).toBe(at(other));
  });

  it('without an endpoint is Amazon, in the partition of the region', () => {
    expect(storeOfLocation(bucket, {})).toBe(at('https://s3.ap-south-1.amazonaws.com'));
    expect(storeOfLocation(bucket, { region: 'eu-central-1' })).toBe(storeOfLocation(bucket, {}));
    expect(storeOfLocation(bucket, { region: 'cn-north-1' })).toBe(at('https://s3.cn-north-1.amazonaws.com.cn'));
    expect(storeOfLocation(bucket, { region: 'us-gov-west-1' })).toBe(at('https://s3.us-gov-west-1.amazonaws.com'));
  });

  it.each([
    ['another port', 'http://h:1', 'http://h:2'],
    ['another scheme', 'http://h', 'https://h'],
    ['another host', 'http://h', 'http://g'],
    ['another path', 'http://h/a', 'http://h/b'],
    ['a path in another case', 'http://h/a', 'http://h/A'],
    ['a partition of Amazon', 'https://s3.amazonaws.com', 'https://s3.cn-north-1.amazonaws.com.cn'],
    ['a name like one of Amazon', 'https://s3.amazonaws.com', 'https://s3.amazonaws.com.example.org'],
    ['another service of Amazon', 'https://s3.amazonaws.com', 'https://b.vpce-1-2.s3.us-east-1.vpce.amazonaws.com'],
  ])('is a different one for %s', (_what, one, other) => {
    expect(at(one)).not.toBe(at(other));
  });

  it('is a different one for each bucket, and the same for every directory of a bucket', () => {
    expect(storeOfLocation('s3://c/', {})).not.toBe(storeOfLocation(bucket, {}));
    expect(storeOfLocation('s3://b/a/b/', {})).toBe(storeOfLocation(bucket, {}));
    expect(storeOfLocation('file:///a/', {})).toBe(storeOfLocation('file:///b/', {}));
  });

  it('is the same for all spellings of an option, including those for one bucket', () => {
    const url = 'http://h:9000';
    const stores = ['alluxio.underfs.s3.endpoint', 'endpoint', 'fs.s3a.endpoint', 'fs.s3a.bucket.b.endpoint'].map(
      (name) => storeOfLocation(bucket, { [name]: url }),
    );
    expect(new Set(stores)).toEqual(new Set([at(url)]));
    expect(storeOfLocation(bucket, { 'fs.s3a.endpoint': 'h:9000', 'fs.s3a.connection.ssl.enabled': 'false' })).toBe(
      at(url),
    );
  });

  it('does not depend on keys, the region or the addressing style, and never throws', () => {
    const other = fc.dictionary(
      fc.constantFrom('region', 'accessKeyId', 'secretAccessKey', 'sessionToken', 'pathStyle', 'fs.s3a.threads.max'),
      fc.string(),
    );
    const endpoint = fc.oneof(fc.webUrl(), fc.string({ minLength: 1 }));
    fc.assert(
      fc.property(endpoint, other, other, (url, a, b) => {
        fc.pre(!url.includes('amazonaws'));
        expect(storeOfLocation(bucket, { ...a, endpoint: url })).toBe(storeOfLocation(bucket, { ...b, endpoint: url }));
      }),
    );
  });
});
