import { bentStores, S3TestServer, type ListingManners, type ValidatorBend } from '#testing';
import { describeConnectorContract } from '../connector.contract.js';
import { S3Connector } from './s3-connector.js';

const tuning = { idleTimeoutMs: 10_000, connectTimeoutMs: 1000, maxConnections: 8 };

/** The contract on a store of its own. @param bucket a name that some store has */
function describeS3(
  name: string,
  bucket: string,
  propertyRuns: number,
  { validators, listing }: { validators?: ValidatorBend; listing?: ListingManners } = {},
): void {
  const server = new S3TestServer({ maxKeysPerPage: 3, validators });
  server.listing = () => listing;
  let endpoint: string;
  let roots = 0;
  const keyOf = (uri: string): string => uri.slice(`s3://${bucket}/`.length);
  const { accessKeyId, secretAccessKey } = server.credentials;

  describeConnectorContract({
    name,
    freeNames: true,
    propertyRuns,
    start: async () => {
      ({ endpoint } = await server.start());
      server.createBucket(bucket);
    },
    stop: () => server.stop(),
    makeRoot: () => Promise.resolve(`s3://${bucket}/root-${++roots}/`),
    put: (uri, bytes) => server.put(bucket, keyOf(uri), bytes),
    remove: (uri) => server.delete(bucket, keyOf(uri)),
    connect: () =>
      new S3Connector(
        {
          ufs: `s3://${bucket}/`,
          options: {
            'alluxio.underfs.s3.endpoint': endpoint,
            's3a.accessKeyId': accessKeyId,
            's3a.secretKey': secretAccessKey,
          },
        },
        tuning,
      ),
  });
}

describeS3('s3', 'bucket', 40);
// As a Ceph tenant's bucket is called, and one of Amazon's from before 2018.
describeS3('s3, a bucket of a tenant', 'tenant:My_Photos', 3);
describeS3('s3, ETags without quotes', '-', 3, { validators: bentStores['ETags without quotes'] });
describeS3('s3, no lengths', 'ab', 3, { validators: bentStores['no lengths'] });
describeS3('s3, preconditions ignored', 'B', 3, { validators: { ifMatch: 'ignored' } });
describeS3('s3, tokens of its own', 'tokens', 3, { listing: { freshTokens: true } });
describeS3('s3, listings as of V1', 'one', 3, { listing: { form: 'V1' } });
describeS3('s3, V1 alone', 'alone', 3, { listing: { form: 'V1 alone' } });
describeS3('s3, listings compressed', 'packed', 3, { listing: { codings: ['gzip'] } });
