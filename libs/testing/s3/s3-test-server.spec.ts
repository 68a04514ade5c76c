import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { generatedContent } from './generated-content.js';
import { S3TestServer } from './s3-test-server.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('S3TestServer, seen by the AWS SDK', () => {
  const server = new S3TestServer({ maxKeysPerPage: 7 });
  let endpoint: string;
  let client: S3Client;

  const clientWith = (secretAccessKey: string, region = 'us-east-1'): S3Client =>
    new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: server.credentials.accessKeyId, secretAccessKey },
    });

  beforeAll(async () => {
    ({ endpoint } = await server.start());
    server.createBucket('b');
    client = clientWith(server.credentials.secretAccessKey);
  });

  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  const oddKeys = [
    'plain',
    'sp ace',
    'a+b',
    'a%2Fb',
    'dir/',
    'dir//x',
    'q\'u"o*t(e)s!',
    '😀',
    'e\u0301',
    '\u00e9',
    '~_-.x',
    'a&b=c?d#e',
  ];

  test.each(oddKeys)('%j: an object is read back under its key', async (Key) => {
    const Body = Buffer.from(`content of ${Key}`);
    await client.send(new PutObjectCommand({ Bucket: 'b', Key, Body, Metadata: { mtime: '1' } }));
    const answer = await client.send(new GetObjectCommand({ Bucket: 'b', Key }));
    expect(await answer.Body?.transformToString()).toBe(`content of ${Key}`);
    expect(answer.Metadata).toEqual({ mtime: '1' });
    expect(answer.ETag).toBe(`"${createHash('md5').update(Body).digest('hex')}"`);
  });

  test('a listing of many pages has every key once, by UTF-8 bytes', async () => {
    const keys = Array.from({ length: 40 }, (_, index) => `many/${index % 2 ? '\uffee' : '😀'}/${index}`);
    for (const key of keys) await server.put('b', key, 'x');
    const seen: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: 'b', Prefix: 'many/' })) {
      expect(page.Contents?.length ?? 0).toBeLessThanOrEqual(7);
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
    }
    expect(seen).toEqual(keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test('a delimiter groups keys, also across pages', async () => {
    for (let index = 0; index < 30; index++) await server.put('b', `roll/${index % 10}/${index}`, 'x');
    await server.put('b', 'roll/top', 'x');
    const prefixes: string[] = [];
    const keys: string[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket: 'b', Prefix: 'roll/', Delimiter: '/' })) {
      prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix ?? ''));
      keys.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
    }
    expect(prefixes).toEqual(Array.from({ length: 10 }, (_, index) => `roll/${index}/`));
    expect(keys).toEqual(['roll/top']);
  });

  test('start-after begins behind that key, whether it exists or not', async () => {
    for (const key of ['sa/1', 'sa/3']) await server.put('b', key, 'x');
    for (const StartAfter of ['sa/1', 'sa/2']) {
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: 'b', Prefix: 'sa/', StartAfter }));
      expect(Contents?.map(({ Key }) => Key)).toEqual(['sa/3']);
    }
  });

  test('ranges and preconditions', async () => {
    await server.put('b', 'range', '0123456789');
    const get = (input: object) => client.send(new GetObjectCommand({ Bucket: 'b', Key: 'range', ...input }));
    const middle = await get({ Range: 'bytes=2-4' });
    expect([await middle.Body?.transformToString(), middle.ContentRange]).toEqual(['234', 'bytes 2-4/10']);
    expect(await (await get({ Range: 'bytes=-3' })).Body?.transformToString()).toBe('789');
    await expect(get({ Range: 'bytes=10-' })).rejects.toMatchObject({ name: 'InvalidRange' });
    await expect(get({ IfMatch: '"other"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(get({ IfNoneMatch: middle.ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
  });

  test('a multipart upload becomes one object with an ETag that is no MD5', async () => {
    const target = { Bucket: 'b', Key: 'multi part' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const bodies = [Buffer.alloc(5 * 1024 * 1024, 1), Buffer.from('the end')];
    const Parts = [];
    for (const [index, Body] of bodies.entries()) {
      const { ETag } = await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: index + 1, Body }));
      Parts.push({ ETag, PartNumber: index + 1 });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
    const answer = await client.send(new GetObjectCommand(target));
    expect(answer.ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect(sha256((await answer.Body?.transformToByteArray()) ?? Buffer.alloc(0))).toBe(sha256(Buffer.concat(bodies)));
    await expect(client.send(new AbortMultipartUploadCommand({ ...target, UploadId }))).rejects.toMatchObject({
      name: 'NoSuchUpload',
    });
  });

  test('a streamed body (aws-chunked) arrives without its framing', async () => {
    const Body = Readable.from([Buffer.alloc(70_000, 'a'), Buffer.alloc(30_000, 'b')]);
    await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'streamed', Body, ContentLength: 100_000 }));
    const { Body: read } = await client.send(new GetObjectCommand({ Bucket: 'b', Key: 'streamed' }));
    expect(await read?.transformToString()).toBe('a'.repeat(70_000) + 'b'.repeat(30_000));
  });

  test('a generated object is the same from every offset', async () => {
    server.generate('b', 'generated', 3_000_000, 42);
    const whole = Buffer.concat([...generatedContent(42, 3_000_000)]);
    const get = async (Range?: string) =>
      (await client.send(new GetObjectCommand({ Bucket: 'b', Key: 'generated', Range }))).Body?.transformToByteArray();
    expect(sha256((await get()) ?? Buffer.alloc(0))).toBe(sha256(whole));
    for (const [start, end] of [
      [0, 3],
      [5, 20],
      [1_048_570, 2_200_000],
      [2_999_999, 2_999_999],
    ] as const) {
      expect(sha256((await get(`bytes=${start}-${end}`)) ?? Buffer.alloc(0))).toBe(
        sha256(whole.subarray(start, end + 1)),
      );
    }
    expect(whole.equals(Buffer.concat([...generatedContent(43, 3_000_000)]))).toBe(false);
  });

  test('a deleted object is gone', async () => {
    await server.put('b', 'gone', 'x');
    await client.send(new DeleteObjectCommand({ Bucket: 'b', Key: 'gone' }));
    await expect(client.send(new HeadObjectCommand({ Bucket: 'b', Key: 'gone' }))).rejects.toMatchObject({
      name: 'NotFound',
    });
    await expect(client.send(new GetObjectCommand({ Bucket: 'b', Key: 'gone' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(client.send(new GetObjectCommand({ Bucket: 'none', Key: 'x' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
  });

  test('a wrong secret, another region and a missing signature are refused', async () => {
    const list = new ListObjectsV2Command({ Bucket: 'b' });
    const wrong = clientWith('not the secret');
    await expect(wrong.send(list)).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    wrong.destroy();
    const elsewhere = clientWith(server.credentials.secretAccessKey, 'eu-west-1');
    await expect(elsewhere.send(list)).rejects.toMatchObject({ name: 'AuthorizationHeaderMalformed' });
    elsewhere.destroy();
    expect((await fetch(`${endpoint}/b?list-type=2`)).status).toBe(403);
  });

  test('a request changed after it was signed is refused', async () => {
    await server.put('b', 'mine', 'x');
    const tampered = clientWith(server.credentials.secretAccessKey);
    tampered.middlewareStack.add(
      (next) => (args) => {
        (args.request as { path: string }).path = '/b/mine';
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    await expect(tampered.send(new GetObjectCommand({ Bucket: 'b', Key: 'other' }))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
    tampered.destroy();
  });
});
