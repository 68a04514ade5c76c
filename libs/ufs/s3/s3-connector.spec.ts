import { S3TestServer } from '#testing';
import { describeConnectorContract } from '../connector.contract.js';
import { S3Connector } from './s3-connector.js';

const tuning = { idleTimeoutMs: 10_000, connectTimeoutMs: 1000, maxConnections: 8 };
const server = new S3TestServer({ maxKeysPerPage: 3 });
let endpoint: string;
let roots = 0;
const keyOf = (uri: string): string => uri.slice('s3://bucket/'.length);

describeConnectorContract({
  name: 's3',
  freeNames: true,
  propertyRuns: 40,
  start: async () => {
    ({ endpoint } = await server.start());
    server.createBucket('bucket');
  },
  stop: () => server.stop(),
  makeRoot: () => Promise.resolve(`s3://bucket/root-${++roots}/`),
  put: (uri, bytes) => server.put('bucket', keyOf(uri), bytes),
  remove: (uri) => server.delete('bucket', keyOf(uri)),
  connect: () =>
    new S3Connector(
      {
        ufs: 's3://bucket/',
        options: {
          'alluxio.underfs.s3.endpoint': endpoint,
          's3a.accessKeyId': server.credentials.accessKeyId,
          's3a.secretKey': server.credentials.secretAccessKey,
        },
      },
      tuning,
    ),
});
