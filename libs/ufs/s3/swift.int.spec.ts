import { DeleteObjectCommand, PutObjectCommand, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SwiftServer } from '#testing';
import { describeConnectorContract } from '../connector.contract.js';
import { S3Connector } from './s3-connector.js';

const tuning = { idleTimeoutMs: 30_000, connectTimeoutMs: 5000, maxConnections: 8 };
// Every request passes through three Python processes.
jest.setTimeout(60_000);

const unavailable = SwiftServer.unavailable();

if (unavailable !== undefined) {
  // The one permitted skip: an independent server that not every machine has.
  console.log(`Skipped: the connector contract on Debian's Swift: ${unavailable}`);
  test.skip('connector contract: s3 on Swift', () => undefined);
} else {
  const swift = new SwiftServer();
  let sdk: S3Client;
  let roots = 0;
  const target = (uri: string): { Bucket: string; Key: string } => ({
    Bucket: 'bucket',
    Key: uri.slice('s3://bucket/'.length),
  });

  describeConnectorContract({
    name: 's3 on Swift',
    freeNames: true,
    propertyRuns: 5,
    startTimeoutMs: 90_000,
    start: async () => {
      await swift.start();
      const { endpoint, credentials } = swift;
      sdk = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
      await sdk.send(new CreateBucketCommand({ Bucket: 'bucket' }));
    },
    stop: async () => {
      sdk?.destroy();
      await swift.stop();
    },
    makeRoot: () => Promise.resolve(`s3://bucket/root-${++roots}/`),
    put: async (uri, Body) => void (await sdk.send(new PutObjectCommand({ ...target(uri), Body }))),
    remove: async (uri) => void (await sdk.send(new DeleteObjectCommand(target(uri)))),
    connect: () =>
      new S3Connector(
        {
          ufs: 's3://bucket/',
          options: {
            endpoint: swift.endpoint,
            accessKeyId: swift.credentials.accessKeyId,
            secretAccessKey: swift.credentials.secretAccessKey,
          },
        },
        tuning,
      ),
  });
}
