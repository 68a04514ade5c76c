import { DeleteObjectCommand, PutObjectCommand, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { CephServer, SwiftServer } from '#testing';
import { describeConnectorContract } from '../connector.contract.js';
import { S3Connector } from './s3-connector.js';

// Servers of other projects, which not every machine has.

const tuning = { idleTimeoutMs: 30_000, connectTimeoutMs: 5000, maxConnections: 8 };
// Every request passes through several processes.
jest.setTimeout(60_000);

describe.each([
  ['Swift', SwiftServer],
  ["Ceph's gateway", CephServer],
] as const)('s3 on %s', (name, Server) => {
  const unavailable = Server.unavailable();
  if (unavailable !== undefined) {
    // The one permitted skip.
    console.log(`Skipped: the connector contract on ${name}: ${unavailable}`);
    test.skip('connector contract', () => undefined);
    return;
  }
  const server = new Server();
  let sdk: S3Client;
  let roots = 0;
  const target = (uri: string) => ({ Bucket: 'bucket', Key: uri.slice('s3://bucket/'.length) });

  describeConnectorContract({
    name: `s3 on ${name}`,
    freeNames: true,
    propertyRuns: 5,
    startTimeoutMs: 90_000,
    start: async () => {
      await server.start();
      const { endpoint, credentials } = server;
      sdk = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
      await sdk.send(new CreateBucketCommand({ Bucket: 'bucket' }));
    },
    stop: async () => {
      sdk?.destroy();
      await server.stop();
    },
    makeRoot: () => Promise.resolve(`s3://bucket/root-${++roots}/`),
    put: async (uri, Body) => void (await sdk.send(new PutObjectCommand({ ...target(uri), Body }))),
    remove: async (uri) => void (await sdk.send(new DeleteObjectCommand(target(uri)))),
    connect: () => {
      const { endpoint, credentials } = server;
      return new S3Connector({ ufs: 's3://bucket/', options: { endpoint, ...credentials } }, tuning);
    },
  });
});
