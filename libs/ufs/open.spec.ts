import { FileConnector } from './file/file-connector.js';
import { openUfs, validateLocation } from './open.js';
import { UfsError } from './types.js';
import { S3Connector } from './s3/s3-connector.js';

const tuning = { idleTimeoutMs: 1000, connectTimeoutMs: 1000, maxConnections: 1 };

describe('openUfs', () => {
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
      expect(() => validateLocation({ ufs, options: {} })).toThrow(/^Only file:\/\/, s3:\/\/ can be mounted/);
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
