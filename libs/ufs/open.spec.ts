import { FileConnector } from './file/file-connector.js';
import { openUfs, validateLocation } from './open.js';
import { openings } from './openings.js';
import { isHarmlessOption } from './declarations/index.js';
import { UfsError } from './types.js';
import { S3Connector } from './s3/s3-connector.js';
import { s3Options } from './s3/s3-options.js';

const tuning = { idleTimeoutMs: 1000, connectTimeoutMs: 1000, maxConnections: 1 };

describe('openUfs', () => {
  const known = Object.keys(openings)
    .map((scheme) => `${scheme}://`)
    .join(', ');

  test('chooses the connector by scheme', async () => {
    const file = openUfs({ ufs: 'file:///tmp/', options: {} }, tuning);
    const s3 = openUfs({ ufs: 's3://bucket/', options: {} }, tuning);
    expect(file).toBeInstanceOf(FileConnector);
    expect(s3).toBeInstanceOf(S3Connector);
    await Promise.all([file.close(), s3.close()]);
  });

  test.each(['hdfs://host/', 'http://host/', '/tmp', '', 's3:bucket', '__proto__://x', 'FILE:///tmp/'])(
    '%j is Invalid',
    (ufs) => {
      expect(() => validateLocation({ ufs, options: {} })).toThrow(UfsError);
      expect(() => validateLocation({ ufs, options: {} })).toThrow(`Only ${known} can be mounted, not `);
    },
  );

  test.each([
    ['file://relative/dir', 'file:///absolute'],
    ['file:///a/../b', 'segment'],
    ['file:///a//b', 'empty segment'],
    ['file:///a\nb', 'control character'],
    ['s3://', 'bucket name'],
  ])('%j is Invalid, and the sentence says why', (ufs, sentence) => {
    expect(() => validateLocation({ ufs, options: {} })).toThrow(sentence);
    expect(() => openUfs({ ufs, options: {} }, tuning)).toThrow(sentence);
  });

  test('valid locations pass', () => {
    for (const ufs of ['file:///', 'file:///data', 'file:///data/', 's3://bucket', 's3://bucket/prefix/']) {
      expect(() => validateLocation({ ufs, options: {} })).not.toThrow();
    }
  });
});

describe('options of a new mount', () => {
  const validate = (options: Record<string, string>, ufs = 's3://bucket/') => validateLocation({ ufs, options });

  test.each([
    ['s3a.secretKeyy', 'did you mean s3a.secretKey?'],
    ['fs.s3a.acces.key', 'did you mean fs.s3a.access.key?'],
    ['fs.s3a.accesskey', 'did you mean fs.s3a.access.key?'],
    ['fs.s3a.bucket.bucket.acess.key', 'did you mean fs.s3a.bucket.bucket.access.key?'],
    ['EndPoint', 'did you mean endpoint?'],
    ['my-own-name', 'the nearest known one is '],
    ['fs.s3a.proxy.host', 'is not known'],
    ['fs.s3a.encryption.key', 'is not known'],
    ['__proto__', 'is not known'],
    ['constructor', 'is not known'],
  ])('%s is refused by its name, and the value is not repeated', (name, advice) => {
    const refused = () => validate(Object.fromEntries([[name, 'topsecret']]));
    expect(refused).toThrow(advice);
    expect(refused).toThrow(name);
    expect(refused).not.toThrow('topsecret');
  });

  test('file:// has none', () => {
    expect(() => validate({ secretToken: 'x' }, 'file:///data/')).toThrow('secretToken is not known: file:// has no');
  });

  test('options without meaning here are named, and not kept', () => {
    const options = {
      'fs.s3a.endpoint': 'http://h',
      'fs.s3a.threads.max': '64',
      'fs.s3a.committer.name': 'magic',
      'fs.s3a.bucket.bucket.fast.upload': 'true',
      'fs.s3a.bucket.other.secret.key': 'topsecret',
      'fs.s3a.bucket.bucket.dev.secret.key': 'topsecret',
      'fs.s3a.impl': 'org.apache.hadoop.fs.s3a.S3AFileSystem',
      'alluxio.underfs.s3.threads.max': '4',
    };
    const [taken, ...ignored] = Object.keys(options);
    expect(validate(options)).toEqual({ options: { [taken]: 'http://h' }, ignored });
  });

  test('an old mount with unknown options still opens', async () => {
    for (const ufs of ['file:///tmp/', 's3://bucket/']) {
      const connector = openUfs({ ufs, options: { secretToken: 'x', 'fs.s3a.threads.max': '1' } }, tuning);
      await connector.close();
    }
  });

  test('only options that are declared harmless are harmless', () => {
    const names = s3Options.names('s3://bucket/');
    const secret = names.filter((name) => !isHarmlessOption('s3://bucket/', name));
    expect(secret.sort()).toEqual([
      ...['aws.secretKey', 'aws.sessionToken', 'fs.s3a.bucket.bucket.secret.key', 'fs.s3a.bucket.bucket.session.token'],
      ...['fs.s3a.secret.key', 'fs.s3a.session.token', 's3a.secretKey', 's3a.sessionToken'],
      ...['secretAccessKey', 'sessionToken'],
    ]);
    for (const name of ['anything', 'fs.s3a.threads.max', '__proto__', '']) {
      expect(isHarmlessOption('s3://bucket/', name)).toBe(false);
    }
    expect(isHarmlessOption('file:///x/', 'endpoint')).toBe(false);
    expect(isHarmlessOption('gs://x/', 'endpoint')).toBe(false);
  });
});
