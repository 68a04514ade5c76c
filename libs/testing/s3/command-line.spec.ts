import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { startFromCommandLine } from './command-line.js';

describe('the S3 test server from a command line', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await fs.mkdtemp(path.join(os.tmpdir(), 'larder-s3-'));
  });
  afterEach(() => fs.rm(directory, { recursive: true, force: true }));

  test('serves buckets in memory, generated and from a directory, with the credentials of the environment', async () => {
    await fs.mkdir(path.join(directory, 'sub'));
    await fs.writeFile(path.join(directory, 'sub/file'), 'from disk');
    const lines: string[] = [];
    const args = ['--bucket', 'empty', '--directory', `disk=${directory}`, '--generate', 'made=3x1000'];
    const env = { S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'secret' };
    const server = await startFromCommandLine(args, env, (line) => lines.push(line));
    const [, endpoint] = /^listening (http:\/\/127\.0\.0\.1:\d+)$/.exec(lines.join()) ?? [];
    const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
    const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 });
    const list = async (Bucket: string) =>
      ((await client.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key, Size }) => [Key, Size]);

    expect(await list('empty')).toEqual([]);
    expect(await list('made')).toEqual([0, 1, 2].map((index) => [`generated/0${index}/${index}.bin`, 1000]));
    expect(await list('disk')).toEqual([['sub/file', 9]]);
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'disk', Key: 'sub/file', Range: 'bytes=5-' }));
    expect(await Body?.transformToString()).toBe('disk');

    await client.send(new PutObjectCommand({ Bucket: 'disk', Key: 'new/file', Body: 'put' }));
    expect(await fs.readFile(path.join(directory, 'new/file'), 'utf8')).toBe('put');
    await client.send(new DeleteObjectCommand({ Bucket: 'disk', Key: 'sub/file' }));
    expect(await list('disk')).toEqual([['new/file', 3]]);
    await expect(
      client.send(new PutObjectCommand({ Bucket: 'disk', Key: 'a/../../x', Body: 'x' })),
    ).rejects.toMatchObject({
      $metadata: { httpStatusCode: 400 },
    });
    client.destroy();
    await server.stop();
  });

  test('a malformed assignment is an error', async () => {
    await expect(startFromCommandLine(['--generate', 'nothing'], {}, () => undefined)).rejects.toThrow('NAME=VALUE');
  });
});
